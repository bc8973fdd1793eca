import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Info, Warning } from "../../design/icons";
import { say } from "../../i18n";
import type { Sentence } from "../../ipc/bindings";

type Props = {
  sentence: Sentence;
  kind?: "friction" | "danger" | "info";
  /** What to do about it, where a press does it. */
  children?: ReactNode;
};

/** What happened, what is safe, what to do: a quiet line across the window. */
export function Problem({ sentence, kind = "friction", children }: Props) {
  useTranslation();
  const Icon = kind === "info" ? Info : Warning;
  return (
    <div className="problem" data-kind={kind} role={kind === "info" ? "status" : "alert"}>
      <Icon size={18} />
      <span>{say(sentence)}</span>
      {children}
    </div>
  );
}
