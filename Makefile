# Thin: each goal is a line or two; what is longer lives in scripts/.

.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz

help:  ## this text
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run:  ## the blog on http://127.0.0.1:8000, data under ./data; edit examples/blog, save, reload. Ctrl-C ends
	@scripts/run.sh

test:  ## every test of every crate, real plugins and databases; ARGS="name" picks some
	@scripts/test.sh $(ARGS)

check:  ## format, clippy and docs, warnings are errors
	@scripts/check.sh

bench:  ## what we claim, measured beside its baselines; ONLY=http|orm|router|cache|memory|reload
	@scripts/bench.sh $(ONLY)

fuzz:  ## each fuzz target for a minute; ONLY=target, SECONDS_EACH=600
	@scripts/fuzz.sh $(ONLY)
