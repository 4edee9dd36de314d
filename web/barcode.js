// The time barcode in the top 16 rows of a frame: 64 equal cells, white for 1, most significant bit first; 8 bits sync
// 0xA7, 48 bits Unix time in milliseconds, 8 bits CRC-8 (polynomial 0x07, initial 0) over the six time bytes.

const ROWS = 16;
const CELLS = 64;
const SYNC = 0xa7;
const PER_CELL = 4; // samples across a cell; the outer two may carry ringing of the neighbour
const EARLIEST_MS = Date.UTC(2020, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);

export function crc8(bytes) {
    let crc = 0;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : (crc << 1) & 0xff;
    }
    return crc;
}

/** 64 lumas, left to right, to Unix milliseconds; null where there is no barcode. */
export function decodeCells(lumas) {
    if (lumas.length !== CELLS) return null;
    const bytes = new Uint8Array(CELLS / 8);
    for (let i = 0; i < CELLS; i++) if (lumas[i] >= 128) bytes[i >> 3] |= 0x80 >> (i & 7);

    const time = bytes.subarray(1, 7);
    if (bytes[0] !== SYNC || crc8(time) !== bytes[7]) return null;
    const ms = time.reduce((sum, byte) => sum * 256 + byte, 0);
    return ms >= EARLIEST_MS && ms < LATEST_MS ? ms : null;
}

/** The cells' lumas from RGBA pixels of the strip, at any width of at least one pixel a cell. */
export function lumasOf(rgba, width, height) {
    const lumas = new Float32Array(CELLS);
    const perCell = width / CELLS;
    for (let cell = 0; cell < CELLS; cell++) {
        const from = Math.floor(cell * perCell + perCell / 4);
        const to = Math.max(from + 1, Math.floor(cell * perCell + (3 * perCell) / 4));
        lumas[cell] = meanLuma(rgba, width, height, from, to);
    }
    return lumas;
}

function meanLuma(rgba, width, height, from, to) {
    let sum = 0;
    for (let y = 0; y < height; y++) {
        for (let x = from; x < to; x++) {
            const i = 4 * (y * width + x);
            sum += 0.299 * rgba[i] + 0.587 * rgba[i + 1] + 0.114 * rgba[i + 2];
        }
    }
    return sum / ((to - from) * height);
}

/** Reads the barcode of what a video element shows at this moment. */
export class BarcodeReader {
    #canvas = document.createElement("canvas");
    #context;

    constructor() {
        this.#canvas.width = CELLS * PER_CELL;
        this.#canvas.height = 4;
        this.#context = this.#canvas.getContext("2d", { willReadFrequently: true, alpha: false });
        this.#context.imageSmoothingEnabled = false;
    }

    read(video) {
        const { width, height } = this.#canvas;
        // Only the middle rows: chroma and deblocking bleed over the strip's lower edge.
        this.#context.drawImage(video, 0, ROWS / 4, video.videoWidth, ROWS / 2, 0, 0, width, height);
        return decodeCells(lumasOf(this.#context.getImageData(0, 0, width, height).data, width, height));
    }
}
