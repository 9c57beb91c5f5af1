# `make` or `make help` lists the targets; scripts/ holds what is longer than a line.

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static program bin/enroute
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/enroute ./cmd/enroute

.PHONY: demo
demo: ## serve the demo on http://127.0.0.1:8080, data in ./demo-data
	go run ./cmd/enroute serve --demo --data ./demo-data --listen 127.0.0.1:8080

.PHONY: test
test: ## all that must hold: format, vet, staticcheck, tests under the race detector
	scripts/test

.PHONY: mongo
mongo: ## start the MongoDB that tests use, unless ENROUTE_TEST_MONGO names one; scripts/mongo-wire down ends it
	@[ -n "$(ENROUTE_TEST_MONGO)" ] || scripts/mongo-wire up

.PHONY: quick
quick: mongo ## the tests without the race detector
	go test -shuffle=on ./...

.PHONY: race
race: mongo ## the tests under the race detector
	go test -race -shuffle=on -timeout 30m ./...

.PHONY: lint
lint: ## golangci-lint
	scripts/lint

.PHONY: fuzz
fuzz: ## every fuzz target for 30 s; what was found is kept in testdata/fuzz
	scripts/fuzz

.PHONY: prove
prove: mongo ## the long proofs whole: 2,000 simulated histories of 300 steps, 500 of three nodes, 200 on MongoDB with one and with three, 100 under the race detector, and crashes
	SIMULATE_SEEDS=2000 go test -count=1 -timeout 4h -v -run '^TestHistories$$' ./sync/simulate
	SIMULATE_SEEDS=500 SIMULATE_STEPS=300 go test -count=1 -timeout 4h -v -run '^TestHistories(OfThreeNodes|WithBackups)$$' ./sync/simulate
	SIMULATE_SEEDS=200 SIMULATE_STEPS=100 go test -count=1 -timeout 4h -v -run '^TestHistoriesOnMongo' ./sync/simulate
	SIMULATE_SEEDS=100 go test -race -count=1 -timeout 4h -v ./sync/simulate
	$(MAKE) crashes

.PHONY: crashes
crashes: mongo ## the proofs about crashes and bad disks whole: 50 kills, ten minutes of three nodes under torment, 3000 power cuts, 2000 spoiled files
	ENROUTE_TEST_KILLS=50 go test -count=1 -timeout 1h -v -run 'UnderLoad|Disk|Synced' ./cmd/enroute
	ENROUTE_TEST_TORMENT=10m go test -count=1 -timeout 1h -v -run 'UnderTorment' ./cmd/enroute
	ENROUTE_TEST_POWER_CUTS=2000 ENROUTE_TEST_DAMAGES=2000 \
		go test -count=1 -timeout 2h -v -run 'PowerCut|TroubledDisk|Unkept|DamagedFile|Kill' ./store/sqlite

.PHONY: forwarded
forwarded: ## the tests of the HTTP interface once more, asked of a node that forwards to another one
	ENROUTE_TEST_FORWARD=1 go test -count=1 ./web

.PHONY: prove-forever
prove-forever: mongo ## new histories until an interrupt, or for SIMULATE_FOR=8h, with SIMULATE_NODES=3 of three nodes; one that fails is cut down and kept
	SIMULATE_FOR=$${SIMULATE_FOR:-10000h} go test -count=1 -timeout 0 -v -run '^TestUntilStopped$$' ./sync/simulate

.PHONY: bench
bench: ## measure the server; docs/benchmarks.md explains the figures
	go run ./cmd/enroute bench

.PHONY: transcript
transcript: ## run the transcript of README.md again and write it there
	scripts/transcript

.PHONY: docker
docker: ## build the container image enroute
	docker build -t enroute .
