import { useTranslation } from "react-i18next";

import { number } from "../../i18n";
import type { ScoreView } from "../../ipc/bindings";
import { addUp, DIGITS } from "./sums";

/** A score and what it is made of: the parts add up to it, on the screen as well. */
export function ScoreTerms({ score, name }: { score: ScoreView; name: string }) {
  const { t } = useTranslation();
  const terms = addUp(score).filter((term) => term.adds !== 0 || term.count !== 0);
  return (
    <table className="terms">
      <caption>{name}</caption>
      <thead className="sr-only">
        <tr>
          <th scope="col">{t("knows.term")}</th>
          <th scope="col">{t("knows.term_count")}</th>
          <th scope="col">{t("knows.term_adds")}</th>
        </tr>
      </thead>
      <tbody>
        {terms.length === 0 && (
          <tr>
            <td colSpan={3} className="quiet">
              {t("knows.no_terms")}
            </td>
          </tr>
        )}
        {terms.map((term) => (
          <tr key={term.key}>
            <th scope="row">{t(term.key)}</th>
            <td>{Number.isInteger(term.count) ? `× ${number(term.count)}` : number(term.count, 1)}</td>
            <td>{term.adds < 0 ? `− ${number(-term.adds, DIGITS)}` : `+ ${number(term.adds, DIGITS)}`}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row" colSpan={2}>
            {t("knows.sum")}
          </th>
          <td data-score>{number(score.value, DIGITS)}</td>
        </tr>
      </tfoot>
    </table>
  );
}
