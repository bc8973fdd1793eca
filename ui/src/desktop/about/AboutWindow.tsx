import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { Knot } from "../../design/icons";
import { dateTime, number, say } from "../../i18n";
import * as client from "../../ipc/client";
import { Problem } from "../parts/Problem";
import type { WindowProps } from "../ask";
import "./about.css";

/** What runs here, for whom, and where to read more of it. */
export function AboutWindow({ overview, failure }: WindowProps) {
  const { t } = useTranslation();
  return (
    <main className="page about">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard. */}
      <div className="page-scroll" tabIndex={0} role="region" aria-label={t("window.about")}>
        <div className="about-name">
          <Knot size={40} />
          <h1>{t("app.name")}</h1>
        </div>
        <p className="lead">{t("about.what")}</p>
        {overview ? (
          <dl>
            <dt>{t("about.version")}</dt>
            <dd>{overview.version}</dd>
            <dt>{t("about.organisation")}</dt>
            <dd>{overview.organisation || t("about.none")}</dd>
            <dt>{t("about.contact")}</dt>
            <dd>{overview.contact || t("about.contact_none")}</dd>
            <dt>{t("about.sent")}</dt>
            <dd>{overview.last_sent_at ? dateTime(overview.last_sent_at) : t("tray.sync.never")}</dd>
            <dt>{t("about.waiting")}</dt>
            <dd>{number(overview.waiting_records + overview.waiting_feedback)}</dd>
            <dt>{t("about.licence")}</dt>
            <dd>{t("about.licence_name")}</dd>
          </dl>
        ) : (
          <Problem sentence={client.asSentence(failure)} />
        )}
        {overview?.problems[0] && <p className="quiet">{say(overview.problems[0])}</p>}
      </div>
      <footer className="page-foot">
        <Button variant="default" onClick={() => void client.openWindow("knows")}>
          {t("window.knows")}
        </Button>
        <Button variant="default" onClick={() => void client.openWindow("first-run")}>
          {t("about.first_run")}
        </Button>
      </footer>
    </main>
  );
}
