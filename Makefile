# The few words that a person types; CMake does the building.
.PHONY: all up test unit lint deps deps-test clean bench

BUILD := build/release
STACK_ROOT ?= .stack
PORT ?= 8080

all: deps
	cmake --preset release -DBELFRY_TESTS=OFF
	cmake --build $(BUILD)

# Builds, makes a site on first run, starts everything with a test-pattern camera and prints the player's URL.
up: all
	@tools/stack up --foreground --root $(STACK_ROOT) --port $(PORT)

# Everything: gcc, clang, sanitizers, integration, browser, containers.
test: deps-test
	tests/run

# The quick subset for one's own loop.
unit: deps-test
	cmake --preset dev
	cmake --build build/dev
	ctest --preset dev -L unit

# Layout, likely mistakes, layers, scripts.
lint: deps-test
	cmake --preset clang
	tools/lint

# Every figure of bench/README.md and docs/latency.md, in about forty minutes; BELFRY_BENCH_QUICK=1 for a short try.
bench: deps-test
	bench/run

deps:
	@tools/install-deps run

deps-test:
	@tools/install-deps test

clean:
	rm -rf build
