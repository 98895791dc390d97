module csp-operator.dev/schemas

go 1.26.0

tool csp-operator.dev/schemas

require sigs.k8s.io/yaml v1.6.0

require go.yaml.in/yaml/v2 v2.4.2 // indirect

// Not imported: its CRDs are read.
require github.com/prometheus-operator/prometheus-operator v0.85.0
