import { useTranslation } from "react-i18next";

import { Knot, KnotDot, ThreadBroken, ThreadPaused } from "../../design/icons";
import { dateTime, number, say, timeOfDay } from "../../i18n";
import type { Icon, Overview } from "../../ipc/bindings";

const ICONS: Record<Icon, typeof Knot> = {
  capturing: Knot,
  paused: ThreadPaused,
  offline: ThreadBroken,
  attention: KnotDot,
};

/** The state in one line, with the symbol of the tray. */
export function StateLine({ overview }: { overview: Overview | null }) {
  const { t } = useTranslation();
  if (!overview) return <div className="state-line" />;
  const { capture } = overview;
  const Symbol = ICONS[overview.icon];
  const state =
    capture.state === "paused"
      ? capture.until
        ? t("tray.state.paused_until", { time: timeOfDay(capture.until) })
        : t("tray.state.paused")
      : capture.state === "unavailable"
        ? say(capture.reason)
        : overview.offline && capture.state === "capturing"
          ? t("tray.state.offline")
          : t(`tray.state.${capture.state}`);
  const waiting = overview.waiting_records + overview.waiting_feedback;
  return (
    <p className="state-line">
      <Symbol size={22} />
      <span>
        {state}
        <span className="quiet">
          {" · "}
          {overview.last_sent_at ? t("knows.last_sent", { at: dateTime(overview.last_sent_at) }) : t("tray.sync.never")}
          {" · "}
          {t("knows.waiting_short", { count: waiting, number: number(waiting) })}
        </span>
      </span>
    </p>
  );
}
