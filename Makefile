# Everything here needs Rust (rustup reads rust-toolchain.toml), Go 1.26 or newer, make and a C compiler. Go builds the
# local control plane once: etcd, kube-apiserver, kube-controller-manager and kubectl, kept under target/.
# `lint` and `install-check` also need bash 4.4 and the usual GNU tools; Go builds what they run (tests/tools), once too.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help demo test portal-test assets lint lint-rust lint-dependencies lint-manifests lint-rules lint-dashboard lint-workflows lint-scripts lint-refusals tools bench crds manifests install-check image gitops e2e

# What lints that which is not Rust: one Go module each, which pins the tool and everything it is made of.
TOOLS := $(notdir $(patsubst %/go.mod,%,$(wildcard tests/tools/*/go.mod)))

VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
# What the images are called once they are loaded.
IMAGE ?= csp-operator:$(VERSION)
SIMULATOR_IMAGE ?= csp-simulator:$(VERSION)

help: ## List the targets
	@echo 'make TARGET'
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.* ## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '  %-15s%s\n' "$$name" "$$what"; done

demo: ## Show what the operator does, on a real API server, until Ctrl-C; with ONCE=1 run through and end
	@echo 'demo: the first time, building the Rust programs takes 3 to 6 minutes, and the control plane as long again.'
	@echo 'demo: both are kept under target/; after that the demo starts within seconds.'
	$(CARGO) build --locked --bins --example demo
	@$(CARGO) run --quiet --locked --example demo -- $(if $(filter 1,$(ONCE)),--once)

test: assets ## Run every test, including those on a real API server
	@# A pipe would hide the exit status of cargo, so it is kept in a file.
	@rm -rf target/test-logs target/test-status && mkdir -p target/test-logs
	@{ CSP_TEST_LOGS='$(CURDIR)/target/test-logs' $(CARGO) test --workspace --locked 2>&1; echo $$? > target/test-status; } \
		| tee target/test-logs/output.log
	@tests/no-secrets.sh target/test-logs
	@exit "$$(cat target/test-status)"

portal-test: ## Try the simulator's portal in headless Chromium, and have axe-core look at it: needs Chromium and npm
	@tests/portal/needs.sh
	@mkdir -p target/portal-test && cp tests/portal/package.json tests/portal/package-lock.json target/portal-test/
	npm --prefix target/portal-test ci --ignore-scripts --no-audit --no-fund
	$(CARGO) clippy --locked --test portal -- -D warnings
	$(CARGO) test --locked --test portal -- --nocapture

assets: ## Build the local control plane, unless it is there
	@echo 'control plane: the first time, building it with Go takes some minutes.'
	$(CARGO) run --locked --package local-cluster -- assets

.PHONY: gitops
gitops: assets ## Have kstatus, Flux and Argo CD judge every status, and a real Flux apply the examples
	@echo 'gitops: the first time, building Flux and Argo CD with Go takes 5 to 10 minutes.'
	@mkdir -p target/gitops && rm -rf target/gitops/statuses target/gitops/argocd-crds
	cd tests/gitops/flux && CGO_ENABLED=0 GOWORK=off go build -trimpath -ldflags '-s -w' -o ../../../target/gitops/ . tool
	cd tests/gitops/argocd && CGO_ENABLED=0 GOWORK=off go build -trimpath -ldflags '-s -w' -o ../../../target/gitops/ .
	@# Their CRDs come with their modules. What Go unpacks is read-only.
	install -m 644 "$$(cd tests/gitops/flux && go list -m -f '{{.Dir}}' github.com/fluxcd/kustomize-controller)"/config/crd/bases/*.yaml \
		target/gitops/kustomizations-crd.yaml
	install -d target/gitops/argocd-crds
	install -m 644 "$$(cd tests/gitops/argocd && go list -m -f '{{.Dir}}' github.com/argoproj/argo-cd/v3)"/manifests/crds/*-crd.yaml \
		target/gitops/argocd-crds
	CSP_STATUSES='$(CURDIR)/target/gitops/statuses' PROPTEST_CASES=2000 $(CARGO) test --locked --lib plan::
	$(CARGO) clippy --locked --test gitops -- -D warnings
	$(CARGO) test --locked --test gitops -- --nocapture --test-threads=1

lint: lint-rust lint-dependencies lint-manifests lint-rules lint-dashboard lint-workflows lint-scripts lint-refusals ## Check everything that can be checked without running it
	@echo 'lint: all well'

# Formatting, lints and documentation.
lint-rust:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked

# Licences, sources, versions and advisories of dependencies.
lint-dependencies:
	tests/lint/dependencies.sh

# Chart, kustomizations and examples; what was rendered from the chart must be so still.
lint-manifests: tools
	tests/lint/manifests.sh

# Alerts and recording rules, and their tests.
lint-rules: tools
	tests/lint/rules.sh

# The dashboard against Grafana's own types, if npm is there.
lint-dashboard:
	tests/monitoring/dashboard/check.sh

# Workflows of continuous integration.
lint-workflows: tools
	tests/lint/workflows.sh

# Shell scripts, if shellcheck is installed: it cannot be built from a package registry.
lint-scripts:
	tests/lint/scripts.sh

# Each of the tools above refuses what is wrong.
lint-refusals: tools
	tests/lint/refusals.sh

tools: $(TOOLS:%=target/tools/%) ## Build what lints manifests, chart, rules and workflows, unless it is there

# Only other pins make another build. GOFLAGS and GOWORK of the environment could change what is built.
.SECONDEXPANSION:
target/tools/%: $$(wildcard tests/tools/$$*/*)
	@mkdir -p target/tools
	@echo 'tools: building $* from tests/tools/$*/go.mod (the first time: promtool 6 minutes, helm 2, the others less)'
	@cd tests/tools/$* && CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly GOOS= GOARCH= \
		go build -trimpath -buildvcs=false -ldflags '-s -w' -o '$(CURDIR)/$@' tool
	@touch $@

install-check: target/tools/helm assets ## Install, upgrade and uninstall on a real API server, with Helm and kustomize
	CARGO='$(CARGO)' tests/install/run.sh

bench: ## Measure: 1,000 permissions, time, requests and memory
	$(CARGO) bench --locked --bench fleet

crds: ## Generate crds/ and docs/reference.md from src/api
	$(CARGO) run --quiet --locked --bin csp-operator -- crds --output-dir crds
	@rm -f manifests/chart/files/crds/*.yaml && cp crds/csp-operator.dev_*.yaml manifests/chart/files/crds/
	$(CARGO) run --quiet --locked --bin csp-operator -- crds --format markdown --output-dir docs

manifests: target/tools/helm ## Render the kustomizations' resources from manifests/chart
	manifests/render.sh

image: target/tools/umoci ## Build the images of operator and simulator as OCI archives in target/image/; needs no Docker
	@CARGO='$(CARGO)' IMAGE='$(IMAGE)' SIMULATOR_IMAGE='$(SIMULATOR_IMAGE)' .ci/image/build.sh

e2e: target/tools/helm ## Run the end-to-end suite in the cluster that kubectl talks to, which gets the images (docs/ci.md)
	@CARGO='$(CARGO)' IMAGE='$(IMAGE)' SIMULATOR_IMAGE='$(SIMULATOR_IMAGE)' tests/e2e/run.sh
