# Everything here needs Rust (rustup reads rust-toolchain.toml), Go 1.26 or newer, make and a C compiler. Go builds the
# local control plane once: etcd, kube-apiserver, kube-controller-manager and kubectl, kept under target/.

CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help demo test assets lint bench crds

help: ## List the targets
	@echo 'make TARGET'
	@echo
	@sed -n 's/^\([a-z]*\):.* ## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '  %-8s%s\n' "$$name" "$$what"; done

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

assets: ## Build the local control plane, unless it is there
	@echo 'control plane: the first time, building it with Go takes some minutes.'
	$(CARGO) run --locked --package local-cluster -- assets

lint: ## Check formatting, lints, documentation and, if cargo-deny is installed, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
		echo 'lint: cargo-deny is not installed, so the dependencies were NOT checked against deny.toml'; exit 0; \
	fi; \
	set -ex; $(CARGO) deny --locked check bans licenses sources; \
	if $(CARGO) deny --locked fetch db >/dev/null 2>&1; then $(CARGO) deny --locked check advisories; else \
		set +x; echo 'lint: the advisory database cannot be fetched, so the dependencies were NOT checked for advisories'; \
	fi

bench: ## Measure: 1,000 permissions, time, requests and memory
	$(CARGO) bench --locked --bench fleet

crds: ## Generate crds/ from src/api
	$(CARGO) run --quiet --locked --bin csp-operator -- crds --output-dir crds
