/**
 * Labels as people read them: what redaction took out of a text (`Accounts {number}`) is a gap (`Accounts …`).
 *
 * Only for what is shown. The exact JSON of what leaves holds the label itself.
 */
import i18next from "i18next";

/** The core's own: agent/core/src/redact/normalise.rs. A test compares. */
export const LEFT_OUT = [
  "amount",
  "date",
  "document",
  "email",
  "file",
  "host",
  "id",
  "ip",
  "name",
  "number",
  "path",
  "phone",
  "time",
  "user",
] as const;

/** A stretch of text, or a gap with what was there. */
export type Piece = { text: string; leftOut: null } | { text: "…"; leftOut: string };

const ONE = `\\{(?:${LEFT_OUT.join("|")})\\}`;
/** Several in a row are one gap. */
const GAPS = new RegExp(`(${ONE}(?: +${ONE})*)`);

/** A text in pieces, each gap with words for what was there. */
export function pieces(text: string): Piece[] {
  // What is split at stands at the odd places.
  return text
    .split(GAPS)
    .map((piece, index): Piece =>
      index % 2 === 0 ? { text: piece, leftOut: null } : { text: "…", leftOut: said(piece) },
    )
    .filter((piece) => piece.text !== "");
}

function said(gap: string): string {
  const kinds = [...gap.matchAll(/\w+/g)].map(([kind]) => i18next.t(`left_out.${kind}`));
  return i18next.t("left_out.gap", { what: [...new Set(kinds)].join(", ") });
}

/** For the eye, where there is only room for words. */
export function readable(text: string): string {
  return pieces(text)
    .map((piece) => piece.text)
    .join("");
}

/** For the ear: each gap says what was there. */
export function spoken(text: string): string {
  return pieces(text)
    .map(({ text, leftOut }) => (leftOut === null ? text : `(${leftOut})`))
    .join("");
}
