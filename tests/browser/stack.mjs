// A stack of its own for a test: broker and all services of this build, started and stopped by tools/stack.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { run } from "./chrome.mjs";

const TOOL = fileURLToPath(new URL("../../tools/stack", import.meta.url));

export class Stack {
    #root = mkdtempSync(join(tmpdir(), "belfry-browser-"));

    /** Also brings back what has gone since. */
    async up({ cameras = 1 } = {}) {
        await run(TOOL, ["up", "--root", this.#root, "--cameras", `${cameras}`]);
        const { port } = JSON.parse(readFileSync(join(this.#root, "stack.json"), "utf8"));
        this.url = `http://127.0.0.1:${port}`;
    }

    async down({ keep = false } = {}) {
        if (existsSync(join(this.#root, "stack.json"))) await run(TOOL, ["down", "--root", this.#root]);
        if (!keep) rmSync(this.#root, { recursive: true, force: true });
    }

    async logs() {
        return (await run(TOOL, ["logs", "--root", this.#root, "--lines", "30"])).stdout;
    }

    /** name: broker, ingest, gateway, janitor, camera-<id>. Only ever a process that this stack started. */
    signal(name, signal) {
        const [pid] = readFileSync(join(this.#root, "run", `${name}.pid`), "utf8").split(" ");
        process.kill(Number(pid), signal);
    }

    async get(path) {
        const response = await fetch(this.url + path);
        if (!response.ok) throw new Error(`GET ${path}: ${response.status}`);
        return response;
    }
}
