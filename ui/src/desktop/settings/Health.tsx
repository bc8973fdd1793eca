import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { Check, Warning } from "../../design/icons";
import { say } from "../../i18n";
import * as client from "../../ipc/client";
import { Problem } from "../parts/Problem";
import { useAsked } from "../parts/useAsked";
import { Section } from "./parts";

/** What Snag can notice here, and what to do where it can't. */
export function Health() {
  const { t } = useTranslation();
  const asked = useAsked(client.health);
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
      <Button variant="default" size="xs" onClick={asked.again}>
        {t("settings.health.again")}
      </Button>
    </Section>
  );
}
