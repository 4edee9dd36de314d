// A stack of its own for a test: broker and all services of this build, started and stopped by tools/stack.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildDir, run } from "./chrome.mjs";

const TOOL = fileURLToPath(new URL("../../tools/stack", import.meta.url));

export class Stack {
    #root = mkdtempSync(join(tmpdir(), "belfry-browser-"));

    /** Also brings back what has gone since. configure: changes the text of a new site's belfry.yml. */
    async up({ cameras = 1, configure = null } = {}) {
        if (configure) await this.#makeSite(cameras, configure);
        await run(TOOL, ["up", "--root", this.#root, "--cameras", `${cameras}`]);
        const { port } = JSON.parse(readFileSync(join(this.#root, "stack.json"), "utf8"));
        this.url = `http://127.0.0.1:${port}`;
    }

    async #makeSite(cameras, configure) {
        const site = join(this.#root, "site");
        const ids = Array.from({ length: cameras }, (_, i) => ["--camera", `cam-${i + 1}`]).flat();
        await run(join(buildDir, "tools/belfryctl/belfryctl"),
            ["init", "--dir", site, "--site", "home", "--broker-port", `${await freePort()}`, ...ids]);
        const config = join(site, "belfry.yml");
        writeFileSync(config, configure(readFileSync(config, "utf8")));
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

async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}
