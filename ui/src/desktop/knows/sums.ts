/**
 * Numbers that add up on the screen.
 *
 * **Invariant:** the terms as they are shown add up to the score as it is shown, to the last digit.
 */
import type { ScoreView, Term } from "../../ipc/bindings";

export const DIGITS = 2;

/**
 * The terms' parts rounded so that they add up to the rounded score: largest remainders, as seats are given in a parliament.
 * Where the parts are not the score at all, a term `term.rounding` says what is missing instead of hiding it.
 */
export function addUp(score: ScoreView, digits = DIGITS): Term[] {
  const unit = 10 ** digits;
  const exact = score.terms.map((term) => term.adds * unit);
  const total = Math.round(score.value * unit);
  const floors = exact.map(Math.floor);
  let rest = total - floors.reduce((sum, part) => sum + part, 0);
  const order = exact
    .map((part, index) => ({ index, remainder: part - Math.floor(part) }))
    // A term that is nothing at all stays nothing: rounding goes to terms that are something.
    .filter(({ index }) => exact[index] !== 0)
    .sort((one, other) => other.remainder - one.remainder || one.index - other.index);
  for (const { index } of order) {
    if (rest <= 0) break;
    floors[index] = (floors[index] ?? 0) + 1;
    rest -= 1;
  }
  const terms = score.terms.map((term, index) => ({ ...term, adds: (floors[index] ?? 0) / unit }));
  return rest === 0 ? terms : [...terms, { key: "term.rounding", count: 1, adds: rest / unit }];
}
