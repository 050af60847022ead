# Run `make` to list all targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Flags of the product build. Exclusive access to variables is proven at compile time if possible, and checked at run
# time in debug builds, which the tests use; the release build omits the run-time checks. Public functions are inlined
# across modules, and the linker optimises the whole program: Docs/Performance.md says what each flag gives.
# Each object of the optimised link names the static libraries that it needs, and the linker would open all of them for each
# one: too often for the kernel's limit of mappings. They are named here once instead.
STATIC_LIBRARIES := $(foreach flag,--no-dependent-libraries --start-group \
    $(addprefix -l,FoundationEssentials _FoundationCShims _FoundationCollections swiftCore swift_Concurrency \
    swift_StringProcessing swift_RegexParser swiftSynchronization swiftDispatch swiftGlibc swift_Builtin_float swiftRuntime \
    dispatch BlocksRuntime FoundationInternationalization _FoundationICU Foundation CoreFoundation) --end-group,\
    -Xlinker $(flag))
RELEASE_FLAGS := -c release --static-swift-stdlib -Xswiftc -use-ld=lld -Xswiftc -enforce-exclusivity=unchecked \
    -Xswiftc -cross-module-optimization --experimental-lto-mode thin $(STATIC_LIBRARIES)
PRODUCTS := kv-service api-gateway kvtop kvctl txlog
SWIFT_SOURCES := Package.swift Sources Tests
TOOLS := Tests/Tools
BENCH_TOOLS := wrk redis-server redis-benchmark nginx webdis etcd gcc python3

.PHONY: help
help: ## List the targets
	@echo "txlog-kv: a durable key-value store and its API gateway"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build for release, start both services with data under ./data, watch them in kvtop; quitting stops them
	@$(TOOLS)/run-services "$$(swift build $(RELEASE_FLAGS) --show-bin-path)"

.PHONY: test
test: lint ## Set up what tests need, check the format, build, and pass every test
	@$(TOOLS)/install-missing curl openssl python3 python3-jsonschema python3-prometheus-client python3-protobuf strace prometheus tmux \
	    faketime mkfs.btrfs mkfs.xfs etcd \
	    wrk libncurses-dev zlib1g-dev
	@Benchmarks/measuring/test_measuring.py
	swift build --build-tests
	@$(TOOLS)/run-tests all

.PHONY: test-unit
test-unit: toolchain ## Build, and pass the tests of each module: no running programs, nothing from apt but what builds need
	@$(TOOLS)/install-missing libncurses-dev zlib1g-dev
	swift build --build-tests
	@$(TOOLS)/run-tests unit

.PHONY: test-e2e
test-e2e: toolchain ## Build, and pass the end-to-end tests; `make test` once installs what they need
	swift build --build-tests
	@$(TOOLS)/run-tests e2e

.PHONY: test-one
test-one: toolchain ## Build, and pass the tests whose names match: make test-one NAME=TransactionLogTests.CompactionTests
	@[ -n "$(NAME)" ] || { echo "NAME is missing: make test-one NAME=<module, suite or test>" >&2; exit 2; }
	swift build --build-tests
	@$(TOOLS)/run-tests '$(NAME)'

.PHONY: test-contract
test-contract: toolchain ## Send requests that schemathesis makes from Docs/openapi.json, and lint answers with httplint
	@$(TOOLS)/install-missing curl python3 python3-venv libncurses-dev zlib1g-dev
	@for product in kv-service api-gateway; do swift build --product "$$product" || exit; done
	@Tests/Contract/check-contract "$$(swift build --show-bin-path)" $(CONTRACT_EXAMPLES)

.PHONY: test-tls
test-tls: toolchain ## Examine the TLS of kv-service with sslyze
	@$(TOOLS)/install-missing openssl python3 python3-venv zlib1g-dev
	@swift build --product kv-service
	@Tests/TLS/check-tls "$$(swift build --show-bin-path)"

.PHONY: build
build: toolchain ## Build both services, kvtop, kvctl and txlog for release
	@$(TOOLS)/install-missing libncurses-dev zlib1g-dev
	@for product in $(PRODUCTS); do \
	    echo "swift build $(RELEASE_FLAGS) --product $$product" && \
	    swift build $(RELEASE_FLAGS) --product "$$product" || exit; done

.PHONY: show-bin-path
show-bin-path:
	@swift build $(RELEASE_FLAGS) --show-bin-path

.PHONY: fmt
fmt: toolchain ## Format all Swift sources in place
	swift format format --in-place --recursive --parallel $(SWIFT_SOURCES)

.PHONY: lint
lint: toolchain ## Check the format, the imports of the modules, the suites of the tests, and words and names in documents
	swift format lint --strict --recursive --parallel $(SWIFT_SOURCES)
	@$(TOOLS)/install-missing python3
	$(TOOLS)/module-map check
	$(TOOLS)/retired-words
	$(TOOLS)/check-page-names CONTRIBUTING.md Docs/Architecture.md Docs/Durability.md Docs/LogFormat.md
	$(TOOLS)/check-suites

.PHONY: bench
bench: build ## Measure all targets beside Redis, nginx, webdis and etcd, into Docs/Performance.md: most of an hour
	@$(TOOLS)/install-missing $(BENCH_TOOLS)
	@Benchmarks/bench "$$(swift build $(RELEASE_FLAGS) --show-bin-path)" --document Docs/Performance.md $(BENCH_OPTIONS)

.PHONY: bench-quick
bench-quick: build ## Measure the main cases in three minutes; BENCH_OPTIONS='--before FOLDER' adds an older build
	@$(TOOLS)/install-missing $(BENCH_TOOLS)
	@Benchmarks/bench "$$(swift build $(RELEASE_FLAGS) --show-bin-path)" --quick $(BENCH_OPTIONS)

.PHONY: check-instructions
check-instructions: toolchain ## Count the instructions of a request in a release build, and fail if there are over 10 % more
	@$(TOOLS)/install-missing zlib1g-dev callgrind_control objcopy python3
	@for product in kv-service api-gateway; do swift build $(RELEASE_FLAGS) --product "$$product" || exit; done
	@Benchmarks/instructions "$$(swift build $(RELEASE_FLAGS) --show-bin-path)" --check

.PHONY: load-packages
load-packages: build ## Load every package description of apt through the gateway, with a kill -9 in the middle
	@$(TOOLS)/install-missing python3
	@$(TOOLS)/load-packages --binaries "$$(swift build $(RELEASE_FLAGS) --show-bin-path)"

.PHONY: compose-up
compose-up: ## Build the images and start both services, Prometheus and Grafana in containers
	@$(TOOLS)/compose-secrets
	COMMIT=$$(git rev-parse --short HEAD) docker compose up --build --detach --wait
	@echo "gateway http://127.0.0.1:$${GATEWAY_PORT:-8080}, kv-service :$${KV_PORT:-8081}," \
	    "Prometheus :$${PROMETHEUS_PORT:-9090}, Grafana http://127.0.0.1:$${GRAFANA_PORT:-3000}"

.PHONY: compose-down
compose-down: ## Stop the containers; the data stays in their volumes
	docker compose down

.PHONY: clean
clean: ## Remove what was built; ./data stays
	rm -rf .build

.PHONY: toolchain
toolchain:
	@command -v swift >/dev/null || { \
	    echo "swift is not installed: get Swift 6.2 or later from https://www.swift.org/install/linux/" >&2; exit 1; }
