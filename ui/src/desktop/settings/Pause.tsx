import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Trash } from "../../design/icons";
import type { Overview, PauseFor, PauseRule, Sentence, Setting } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { useAnnounce } from "../parts/Announcer";
import { useUntil } from "../parts/useUntil";
import { Locked, type Change } from "./parts";

const PAUSES: readonly PauseFor[] = ["quarter_hour", "hour", "until_tomorrow", "until_resumed"];

/** Pauses now, for as long as is chosen, and resumes. */
export function PauseNow({
  overview,
  onProblem,
}: {
  overview: Overview | null;
  onProblem: (sentence: Sentence) => void;
}) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const go = (what: () => Promise<unknown>, said: string) =>
    what().then(
      () => announce(said),
      (thrown: unknown) => onProblem(client.asSentence(thrown)),
    );
  const capture = overview?.capture;
  const until = useUntil(capture?.state === "paused" ? capture.until : null);
  if (capture?.state === "paused") {
    return (
      <div className="setting pause-now">
        <span>{until ? t("settings.pause.until", { time: until }) : t("settings.pause.paused")}</span>
        <Button onClick={() => void go(client.resume, t("settings.pause.resumed"))}>{t("tray.resume")}</Button>
      </div>
    );
  }
  return (
    <div className="setting pause-now" role="group" aria-label={t("settings.pause.now")}>
      {PAUSES.map((one) => (
        <Button
          key={one}
          variant="default"
          size="xs"
          disabled={capture?.state !== "capturing"}
          onClick={() => void go(() => client.pause(one), t("settings.pause.done"))}
        >
          {t(`tray.pause_${one}`)}
        </Button>
      ))}
    </div>
  );
}

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;

/** Times without Snag, each with its days. */
export function PauseRules({ setting, change }: { setting: Setting<PauseRule[]>; change: Change }) {
  const { t } = useTranslation();
  const locked = setting.locked_by !== null;
  const rules = setting.value;
  const put = (at: number, rule: PauseRule | null) =>
    void change({
      pause_rules: rule
        ? rules.map((one, index) => (index === at ? rule : one))
        : rules.filter((_, index) => index !== at),
    });
  return (
    <Locked setting={setting}>
      <ul className="rules" aria-label={t("settings.pause.rules")}>
        {rules.map((rule, at) => (
          <li key={at} className="rule">
            <div className="days" role="group" aria-label={t("settings.pause.days")}>
              {DAYS.map((day) => (
                <label key={day} className="day">
                  <input
                    type="checkbox"
                    checked={rule.days.includes(day)}
                    disabled={locked}
                    aria-label={t(`settings.day_long.${day}`)}
                    onChange={(event) => {
                      const days = event.currentTarget.checked
                        ? [...rule.days, day].sort()
                        : rule.days.filter((one) => one !== day);
                      // A rule without a day is no rule.
                      put(at, days.length === 0 ? null : { ...rule, days });
                    }}
                  />
                  <span aria-hidden="true">{t(`settings.day.${day}`)}</span>
                </label>
              ))}
            </div>
            <span className="times">
              <TimeInput
                label={t("settings.pause.from")}
                value={rule.from}
                disabled={locked}
                onChange={(from) => put(at, { ...rule, from })}
              />
              <span aria-hidden="true">–</span>
              <TimeInput
                label={t("settings.pause.to")}
                value={rule.to}
                disabled={locked}
                onChange={(to) => put(at, { ...rule, to })}
              />
              {!locked && (
                <ActionIcon aria-label={t("settings.pause.remove")} onClick={() => put(at, null)}>
                  <Trash size={16} />
                </ActionIcon>
              )}
            </span>
          </li>
        ))}
      </ul>
      {!locked && (
        <Button
          variant="subtle"
          size="xs"
          onClick={() =>
            void change({ pause_rules: [...rules, { days: [1, 2, 3, 4, 5], from: "12:00", to: "13:00" }] })
          }
        >
          {t("settings.pause.add")}
        </Button>
      )}
    </Locked>
  );
}

/** `HH:MM`, taken over when it is left: half a time is no time. */
function TimeInput({
  label,
  value,
  disabled,
  onChange,
}: {
  label: string;
  value: string;
  disabled: boolean;
  onChange: (value: string) => void;
}) {
  const [typed, setTyped] = useState(value);
  const [from, setFrom] = useState(value);
  if (from !== value) {
    setFrom(value);
    setTyped(value);
  }
  const valid = /^([01]?\d|2[0-3]):[0-5]\d$/.test(typed.trim());
  return (
    <TextInput
      className="time"
      size="xs"
      aria-label={label}
      value={typed}
      disabled={disabled}
      error={!valid}
      inputMode="numeric"
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={() => {
        if (!valid) setTyped(value);
        else if (typed.trim().padStart(5, "0") !== value) onChange(typed.trim().padStart(5, "0"));
      }}
    />
  );
}
