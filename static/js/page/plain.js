/** A text without its Markdown: what is left where there is room for one line. */

import { lexer } from "marked";

const BLOCKS = new Set(["list", "list_item", "blockquote", "table"]);

const within = ({ tokens, items, header, rows }) => tokens ?? items ?? (rows && [...header, ...rows.flat()]);

const words = (token) =>
  // What stands in a line runs on; paragraphs, items and cells do not.
  within(token)?.map(words).join(BLOCKS.has(token.type) ? " " : "") ?? token.text ?? " ";

/** A piece out of the middle of a text, without the signs in it. @param {string} piece */
export const unmarked = (piece) => piece.replace(/\*{2,3}|__|~~|`+|^#{1,6} /gm, "");

/** @param {string} text Markdown, perhaps cut off somewhere @returns {string} one line */
export const plain = (text) => lexer(text).map(words).join(" ").replace(/\s+/g, " ").trim();
