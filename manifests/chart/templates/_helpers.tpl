{{/* Names are fixed: there is one operator in a cluster, whatever its release is called, and a federated credential and the
     rights of people refer to these names. */}}
{{- define "csp-operator.labels" -}}
app.kubernetes.io/name: csp-operator
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "csp-operator.metadata" -}}
labels:
  {{- include "csp-operator.labels" . | nindent 2 }}
{{- with .Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Annotations of what Helm, Argo CD and Flux neither delete nor prune. */}}
{{- define "csp-operator.kept" -}}
argocd.argoproj.io/sync-options: Prune=false,Delete=false
helm.sh/resource-policy: keep
kustomize.toolkit.fluxcd.io/prune: disabled
{{- end }}

{{/* The version of these manifests, on what a person looks at for it: on everything, each upgrade would change everything. No
     selector has it. */}}
{{- define "csp-operator.version" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
{{- end }}

{{/* Metadata of objects of the monitoring system, which finds them by labels: dict "root" $ "labels" MAP "annotations" MAP */}}
{{- define "csp-operator.monitoringMetadata" -}}
labels:
  {{- include "csp-operator.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with mergeOverwrite (dict) .root.Values.annotations (default (dict) .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "csp-operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end }}

{{- define "csp-operator.serviceAccountName" -}}
{{ default "csp-operator" .Values.serviceAccount.name }}
{{- end }}

{{/* The port of the health address, which may be written [::]:8081. */}}
{{- define "csp-operator.port" -}}
{{ splitList ":" .Values.settings.healthAddress | last }}
{{- end }}

{{/* settings, as variables: maxGrantsPerHour is CSP_MAX_GRANTS_PER_HOUR. Numbers from YAML are floats: 1000000 must not become 1e+06. */}}
{{- define "csp-operator.settings" -}}
{{- range $name, $value := .Values.settings }}
- name: CSP_{{ snakecase $name | upper }}
  value: {{ if kindIs "float64" $value }}{{ int64 $value | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- end }}
