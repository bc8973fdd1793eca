import { Button } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { Check, Warning } from "../../design/icons";
import { say } from "../../i18n";
import type { Overview } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { Problem } from "../parts/Problem";
import { useAsked } from "../parts/useAsked";
import { Section } from "./parts";

/** How often what isn't well is looked at again: capture, for one, begins a moment after it may. */
const AGAIN_MS = 2_000;

/** What Snag can notice here, and what to do where it can't. */
export function Health({ overview }: { overview: Overview | null }) {
  const { t } = useTranslation();
  // What begins, ends or fails meanwhile is seen without being asked for.
  const problems = overview?.problems.map((one) => one.key).join();
  const asked = useAsked(client.health, `${overview?.capture.state}/${overview?.server_problem?.key}/${problems}`);
  const { again } = asked;
  const unwell = asked.problem !== null || (asked.value ?? []).some((line) => !line.ok);
  useEffect(() => {
    if (!unwell) return;
    const timer = setInterval(again, AGAIN_MS);
    return () => clearInterval(timer);
  }, [again, unwell]);
  return (
    <Section title={t("settings.health.title")} text={t("settings.health.text")}>
      {asked.problem && <Problem sentence={asked.problem} />}
      <ul className="health" aria-busy={!asked.value && !asked.problem}>
        {(asked.value ?? []).map((line) => (
          <li key={line.source} data-ok={line.ok || undefined}>
            {line.ok ? <Check size={18} /> : <Warning size={18} />}
            <div>
              <strong>{t(`health.name.${line.source}`)}</strong>
              <span className="sr-only"> {line.ok ? t("settings.health.ok") : t("settings.health.not_ok")}</span>
              <p>{say(line.sentence)}</p>
            </div>
          </li>
        ))}
      </ul>
      <Button variant="default" size="xs" onClick={again}>
        {t("settings.health.again")}
      </Button>
    </Section>
  );
}
