# `make` or `make help` lists the targets; scripts/ holds what is longer than a line.

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static program bin/enroute
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/enroute ./cmd/enroute

.PHONY: demo
demo: ## serve the demo on http://127.0.0.1:8080, data in ./demo-data
	go run ./cmd/enroute serve --demo --data ./demo-data --listen 127.0.0.1:8080

.PHONY: test
test: ## all that must hold: format, vet, staticcheck, tests under the race detector
	scripts/test

.PHONY: quick
quick: ## the tests without the race detector
	go test -shuffle=on ./...

.PHONY: race
race: ## the tests under the race detector
	go test -race -shuffle=on -timeout 30m ./...

.PHONY: lint
lint: ## golangci-lint
	scripts/lint

.PHONY: fuzz
fuzz: ## every fuzz target for 30 s; what was found is kept in testdata/fuzz
	scripts/fuzz

.PHONY: prove
prove: ## the long proofs whole: 200 simulated histories of 300 steps, 20 of them under the race detector
	SIMULATE_SEEDS=200 SIMULATE_STEPS=300 go test -count=1 -timeout 2h -v ./sync/simulate
	SIMULATE_SEEDS=20 SIMULATE_STEPS=300 go test -race -count=1 -timeout 2h -v ./sync/simulate

.PHONY: bench
bench: ## measure the server; docs/benchmarks.md explains the figures
	go run ./cmd/enroute bench

.PHONY: transcript
transcript: ## run the transcript of README.md again and write it there
	scripts/transcript

.PHONY: docker
docker: ## build the container image enroute
	docker build -t enroute .
