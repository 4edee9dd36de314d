// Elements without a framework. Text is always text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "primary", onclick: f, disabled: false}, "Start") */
export function h(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) set(element, name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

function set(element, name, value) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
}

/** One of the symbols in index.html; decoration, so hidden from screen readers. */
export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#icon-${name}`);
    svg.append(use);
    return svg;
}

/** Changes the text only when it differs, so that a live region speaks once. */
export function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

export const byId = (id) => document.getElementById(id);
