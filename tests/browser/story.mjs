// A story told in steps that build on each other: one stack, one browser. What a failing step leaves on the screen is kept.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { SHOTS, launch } from "./chrome.mjs";
import { Stack } from "./stack.mjs";

export class Story {
    stack = new Stack();
    browser = null;
    page = null; // the one whose screen is kept
    #name;
    #failed = false;

    /** open: async, called once stack and browser are there. */
    constructor(name, stackOptions, open) {
        this.#name = name;
        before(async () => {
            mkdirSync(SHOTS, { recursive: true });
            await this.stack.up(stackOptions);
            this.browser = await launch();
            await open();
        });
        after(async () => {
            if (this.#failed) console.log(await this.stack.logs().catch((error) => `no logs: ${error.message}`));
            await this.browser?.close();
            await this.stack.down();
        });
    }

    step(name, body) {
        test(name, async () => {
            try {
                await body();
            } catch (error) {
                this.#failed = true;
                await this.shot(`failed-${this.#name}`).catch(() => {});
                throw error;
            }
        });
    }

    shot(name, options = {}) {
        return this.page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
    }
}
