import { pieces } from "../../i18n/leftOut";

/** A label with its gaps: `…` for the eye, with an explanation under the pointer, and in words for a screen reader. */
export function Readable({ text }: { text: string }) {
  const all = pieces(text);
  // Of which nothing was kept: a gap alone would say nothing.
  if (all.length === 1 && all[0]?.leftOut) return <span className="quiet">{all[0].leftOut}</span>;
  return all.map(({ text, leftOut }, index) =>
    leftOut === null ? (
      text
    ) : (
      <span key={index} className="left-out" title={leftOut}>
        <span aria-hidden="true">{text}</span>
        <span className="sr-only">({leftOut})</span>
      </span>
    ),
  );
}
