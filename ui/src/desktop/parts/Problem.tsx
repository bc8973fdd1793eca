import { useTranslation } from "react-i18next";

import { Info, Warning } from "../../design/icons";
import { say } from "../../i18n";
import type { Sentence } from "../../ipc/bindings";

/** What happened, what is safe, what to do: a quiet line across the window. */
export function Problem({
  sentence,
  kind = "friction",
}: {
  sentence: Sentence;
  kind?: "friction" | "danger" | "info";
}) {
  useTranslation();
  const Icon = kind === "info" ? Info : Warning;
  return (
    <div className="problem" data-kind={kind} role={kind === "info" ? "status" : "alert"}>
      <Icon size={18} />
      <span>{say(sentence)}</span>
    </div>
  );
}
