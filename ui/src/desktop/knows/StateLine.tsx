import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";

import { Knot, KnotDot, ThreadBroken, ThreadPaused } from "../../design/icons";
import { dateTime, number, say } from "../../i18n";
import type { Icon, Overview, Sentence } from "../../ipc/bindings";
import { says } from "../parts/once";
import { useUntil } from "../parts/useUntil";

const ICONS: Record<Icon, typeof Knot> = {
  capturing: Knot,
  paused: ThreadPaused,
  offline: ThreadBroken,
  attention: KnotDot,
};

type Props = {
  overview: Overview | null;
  /** What the window says below: not said here, too. */
  said: Sentence[];
};

/** The state in one line, with the symbol of the tray. */
export function StateLine({ overview, said }: Props) {
  const { t } = useTranslation();
  const until = useUntil(overview?.capture.state === "paused" ? overview.capture.until : null);
  if (!overview) return <div className="state-line" />;
  const Symbol = ICONS[overview.icon];
  const state = stateOf(overview, said, until, t);
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

function stateOf(overview: Overview, said: Sentence[], until: string, t: TFunction): string {
  const { capture, concern } = overview;
  if (capture.state === "paused") return until ? t("tray.state.paused_until", { time: until }) : t("tray.state.paused");
  if (capture.state === "unavailable" && !says(said, capture.reason)) return say(capture.reason);
  if (capture.state !== "capturing") return t(`tray.state.${capture.state}`);
  if (concern) {
    // What is wrong on this computer begins with the tray's words where it is said below.
    const isSaid = concern.key !== overview.server_problem?.key && says(said, concern);
    const words = isSaid ? [] : [concern.key.replace(/^problem\./, "tray.state.")];
    return t([...words, "tray.state.attention"]);
  }
  return overview.unread_replies > 0
    ? t("tray.state.unread", { count: overview.unread_replies })
    : t("tray.state.capturing");
}
