// SPDX-License-Identifier: GPL-3.0-or-later
// The original behind a passage: the page of a PDF as a picture, the rows of a sheet, the header of a mail, the file.

import { Failure, fileOf, openPage, pictureOf, readOriginal } from "./service.js";
import { button, element } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const UNITS = ["bytes", "kB", "MB", "GB"];

// The page on which a passage stands, with the quotation marked. It fills itself; where the page cannot be shown, it
// states why, and the text of the passage stands below it.
export function pageFigure(passage, quote) {
  const figure = element("figure", "leaf", element("p", "hint", `Opening ${passage.label}…`));
  fillPage(figure, passage, quote).catch((error) => {
    if (!(error instanceof Failure)) throw error;
    figure.replaceChildren(element("p", "hint", `The page is not shown. ${error.message} ${error.nextStep}`));
  });
  return figure;
}

async function fillPage(figure, passage, quote) {
  const { version_id: version, page, width, height, marks, note } = await openPage(passage.chunk_id, quote);
  const picture = element("img");
  picture.alt = `Page ${page} of ${passage.title}, with the quotation ${marks.length ? "marked" : "not marked"}`;
  picture.width = Math.round(width);
  picture.height = Math.round(height);
  const sheet = element("div", "paper", picture, overlay(marks));
  const scroller = element("div", "scroller", sheet);
  Object.assign(scroller, { tabIndex: 0, role: "region", ariaLabel: `Page ${page}` });
  const larger = button("quiet", "Larger", () => {
    const large = scroller.classList.toggle("large");
    larger.textContent = large ? "Smaller" : "Larger";
    show(scroller);
  });
  const caption = element("figcaption", "", note ? element("span", "hint", note) : "", larger);
  picture.src = pictureOf(version, page);
  try {
    await picture.decode();
  } catch {
    throw new Failure("Its picture cannot be loaded.", "Close the passage, and open it again.");
  }
  figure.replaceChildren(caption, scroller);
  show(scroller);
}

function overlay(marks) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const { left, top, right, bottom } of marks) {
    const rectangle = document.createElementNS(SVG, "rect");
    const sides = { x: left, y: top, width: right - left, height: bottom - top };
    for (const [name, value] of Object.entries(sides)) rectangle.setAttribute(name, value);
    svg.append(rectangle);
  }
  return svg;
}

const show = (scroller) => scroller.querySelector("rect")?.scrollIntoView({ block: "center", inline: "center" });

// The rows of a sheet around a quotation, with its cells marked.
export function tableExcerpt({ columns, titles, rows }, label) {
  const head = element("tr", "", element("td"));
  columns.forEach((name, index) => {
    const cell = element("th", "", name);
    cell.scope = "col";
    if (titles[index]) cell.append(element("span", "title", titles[index]));
    head.append(cell);
  });
  const body = element("tbody", "", ...rows.map(({ number, cells }) => tableRow(number, cells, columns.length)));
  const scroller = element("div", "scroller rows", element("table", "cells", element("thead", "", head), body));
  const name = `Rows ${rows[0].number} to ${rows.at(-1).number} of ${label}`;
  Object.assign(scroller, { tabIndex: 0, role: "region", ariaLabel: name });
  return scroller;
}

function tableRow(number, cells, width) {
  const head = element("th", "", String(number));
  head.scope = "row";
  const row = element("tr", "", head);
  for (let column = 0; column < width; column++) {
    const { text, marked } = cells[column] ?? { text: "", marked: false };
    row.append(element("td", "", marked ? element("mark", "", text) : text));
  }
  return row;
}

// The header of a mail: from, to, date and subject.
export function mailHeader(fields) {
  const list = element("dl", "mail");
  for (const { name, value } of fields) list.append(element("dt", "", name), element("dd", "", value));
  return list;
}

// A link that downloads the file, or the reason why there is none.
export function download(versionId) {
  const line = element("p", "download");
  line.setAttribute("aria-live", "polite");
  readOriginal(versionId).then(
    ({ name, size }) => {
      const link = element("a", "quiet", `Download ${name} (${sizeOf(size)})`);
      link.href = fileOf(versionId);
      link.download = name;
      line.append(link);
    },
    (error) => {
      if (!(error instanceof Failure)) throw error;
      line.append(element("span", "hint", `The original cannot be downloaded. ${error.message} ${error.nextStep}`));
    },
  );
  return line;
}

function sizeOf(bytes) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toLocaleString("en-GB", { maximumFractionDigits: value < 10 && power ? 1 : 0 })} ${UNITS[power]}`;
}
