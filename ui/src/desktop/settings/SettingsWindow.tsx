import { ActionIcon, Button, NativeSelect, SegmentedControl, Switch, TagsInput, TextInput } from "@mantine/core";
import { useCallback, useId, useState, type KeyboardEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Check, Close, Lock, Trash, Warning } from "../../design/icons";
import { say, timeOfDay } from "../../i18n";
import type { Overview, PauseFor, PauseRule, Sentence, Setting, Settings, SettingsChange, Theme } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import { useAnnounce } from "../parts/Announcer";
import { Problem } from "../parts/Problem";
import { useAsked } from "../parts/useAsked";
import type { WindowProps } from "../prepare";
import { shortcutOf, shownShortcut } from "./shortcut";
import "./settings.css";

/** One scroll, no tabs. What IT set is shown with a lock, and who set it. */
export function SettingsWindow({ overview, settings, failure, onSettings }: WindowProps) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const [problem, setProblem] = useState<Sentence | null>(null);

  const change = useCallback(
    async (wanted: SettingsChange) => {
      try {
        onSettings(await client.changeSettings(wanted));
        setProblem(null);
        announce(t("settings.saved"));
      } catch (thrown) {
        setProblem(client.asSentence(thrown));
      }
    },
    [announce, onSettings, t],
  );

  return (
    <main className="page settings">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard. */}
      <div className="page-scroll" tabIndex={0} role="region" aria-label={t("window.settings")}>
        <h1>{t("window.settings")}</h1>
        {!settings && <Problem sentence={client.asSentence(failure)} />}
        {problem && (
          <div className="sticky">
            <Problem sentence={problem} kind="danger" />
          </div>
        )}
        {settings && <Sections settings={settings} overview={overview} change={change} onProblem={setProblem} />}
        <Health />
      </div>
    </main>
  );
}

type Change = (wanted: SettingsChange) => Promise<void>;

function Sections({ settings, overview, change, onProblem }: { settings: Settings; overview: Overview | null; change: Change; onProblem: (sentence: Sentence) => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Section title={t("settings.pause.title")} text={t("settings.pause.text")}>
        <PauseNow overview={overview} onProblem={onProblem} />
        <PauseRules setting={settings.pause_rules} change={change} />
      </Section>

      <Section title={t("settings.never.title")} text={t("settings.never.text")}>
        <Locked setting={settings.never_apps}>
          <TagsInput
            aria-label={t("settings.never.title")}
            placeholder={t("settings.never.hint")}
            value={settings.never_apps.value}
            disabled={settings.never_apps.locked_by !== null}
            onChange={(never_apps) => void change({ never_apps })}
            acceptValueOnBlur
          />
        </Locked>
      </Section>

      <Section title={t("settings.ask.title")} text={t("settings.ask.text")}>
        <Locked setting={settings.prompts}>
          <Switch
            label={t("settings.ask.prompts")}
            checked={settings.prompts.value}
            disabled={settings.prompts.locked_by !== null}
            onChange={(event) => void change({ prompts: event.currentTarget.checked })}
          />
        </Locked>
        <Locked setting={settings.prompts_per_day}>
          <NativeSelect
            label={t("settings.ask.per_day")}
            value={String(settings.prompts_per_day.value)}
            disabled={settings.prompts_per_day.locked_by !== null || !settings.prompts.value}
            onChange={(event) => void change({ prompts_per_day: Number(event.currentTarget.value) })}
            data={[1, 2, 3].map((count) => ({ value: String(count), label: t("settings.ask.times", { count }) }))}
          />
        </Locked>
        <Locked setting={settings.never_ask_apps}>
          <TagsInput
            label={t("settings.ask.never")}
            placeholder={t("settings.never.hint")}
            value={settings.never_ask_apps.value}
            disabled={settings.never_ask_apps.locked_by !== null}
            onChange={(never_ask_apps) => void change({ never_ask_apps })}
            acceptValueOnBlur
          />
        </Locked>
      </Section>

      <Section title={t("settings.shortcut.title")} text={t("settings.shortcut.text")}>
        <Locked setting={settings.shortcut}>
          <Shortcut setting={settings.shortcut} change={change} />
        </Locked>
      </Section>

      <Section title={t("settings.look.title")}>
        <Locked setting={settings.language}>
          <NativeSelect
            label={t("settings.look.language")}
            value={settings.language.value}
            disabled={settings.language.locked_by !== null}
            onChange={(event) => void change({ language: event.currentTarget.value })}
            data={[
              { value: "system", label: t("settings.look.language_system") },
              // A language is named in itself: whoever needs it can read it.
              { value: "en", label: "English" },
              { value: "de", label: "Deutsch" },
            ]}
          />
        </Locked>
        <Locked setting={settings.theme}>
          <div className="field">
            <span id="theme-label">{t("settings.look.theme")}</span>
            <SegmentedControl
              aria-labelledby="theme-label"
              value={settings.theme.value}
              disabled={settings.theme.locked_by !== null}
              onChange={(theme) => void change({ theme: theme as Theme })}
              data={(["system", "light", "dark"] as const).map((value) => ({ value, label: t(`settings.look.${value}`) }))}
            />
          </div>
        </Locked>
      </Section>

      <Section title={t("settings.start.title")}>
        <Locked setting={settings.autostart}>
          <Switch
            label={t("settings.start.autostart")}
            checked={settings.autostart.value}
            disabled={settings.autostart.locked_by !== null}
            onChange={(event) => void change({ autostart: event.currentTarget.checked })}
          />
        </Locked>
      </Section>
    </>
  );
}

function Section({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className="setting-section" aria-labelledby={id}>
      <div className="setting-head">
        <h2 id={id}>{title}</h2>
        {text && <p className="quiet">{text}</p>}
      </div>
      <div className="setting-body">{children}</div>
    </section>
  );
}

/** A setting; where IT set it, with a lock and by whom. */
function Locked({ setting, children }: { setting: Setting<unknown>; children: ReactNode }) {
  const { t } = useTranslation();
  return (
    <div className="setting" data-locked={setting.locked_by !== null || undefined}>
      {children}
      {setting.locked_by !== null && (
        <p className="locked">
          <Lock size={14} /> {t("settings.locked", { organisation: setting.locked_by })}
        </p>
      )}
    </div>
  );
}

const PAUSES: readonly PauseFor[] = ["quarter_hour", "hour", "until_tomorrow", "until_resumed"];

function PauseNow({ overview, onProblem }: { overview: Overview | null; onProblem: (sentence: Sentence) => void }) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const go = (what: () => Promise<unknown>, said: string) =>
    what().then(
      () => announce(said),
      (thrown: unknown) => onProblem(client.asSentence(thrown)),
    );
  const capture = overview?.capture;
  if (capture?.state === "paused") {
    return (
      <div className="setting pause-now">
        <span>{capture.until ? t("settings.pause.until", { time: timeOfDay(capture.until) }) : t("settings.pause.paused")}</span>
        <Button onClick={() => void go(client.resume, t("settings.pause.resumed"))}>{t("tray.resume")}</Button>
      </div>
    );
  }
  return (
    <div className="setting pause-now" role="group" aria-label={t("settings.pause.now")}>
      {PAUSES.map((one) => (
        <Button key={one} variant="default" size="xs" disabled={capture?.state !== "capturing"} onClick={() => void go(() => client.pause(one), t("settings.pause.done"))}>
          {t(`tray.pause_${one}`)}
        </Button>
      ))}
    </div>
  );
}

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;

function PauseRules({ setting, change }: { setting: Setting<PauseRule[]>; change: Change }) {
  const { t } = useTranslation();
  const locked = setting.locked_by !== null;
  const rules = setting.value;
  const put = (at: number, rule: PauseRule | null) =>
    void change({ pause_rules: rule ? rules.map((one, index) => (index === at ? rule : one)) : rules.filter((_, index) => index !== at) });
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
                      const days = event.currentTarget.checked ? [...rule.days, day].sort() : rule.days.filter((one) => one !== day);
                      // A rule without a day is no rule.
                      put(at, days.length === 0 ? null : { ...rule, days });
                    }}
                  />
                  <span aria-hidden="true">{t(`settings.day.${day}`)}</span>
                </label>
              ))}
            </div>
            <span className="times">
            <TimeInput label={t("settings.pause.from")} value={rule.from} disabled={locked} onChange={(from) => put(at, { ...rule, from })} />
            <span aria-hidden="true">–</span>
            <TimeInput label={t("settings.pause.to")} value={rule.to} disabled={locked} onChange={(to) => put(at, { ...rule, to })} />
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
          onClick={() => void change({ pause_rules: [...rules, { days: [1, 2, 3, 4, 5], from: "12:00", to: "13:00" }] })}
        >
          {t("settings.pause.add")}
        </Button>
      )}
    </Locked>
  );
}

/** `HH:MM`, taken over when it is left: half a time is no time. */
function TimeInput({ label, value, disabled, onChange }: { label: string; value: string; disabled: boolean; onChange: (value: string) => void }) {
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

/** The shortcut is set by pressing it. */
function Shortcut({ setting, change }: { setting: Setting<string>; change: Change }) {
  const { t } = useTranslation();
  const [listening, setListening] = useState(false);
  const [hint, setHint] = useState(false);
  const locked = setting.locked_by !== null;
  const onKey = (event: KeyboardEvent) => {
    if (!listening || event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") {
      setListening(false);
      return;
    }
    const pressed = shortcutOf(event);
    if (pressed === "modifier") return;
    if (!pressed) {
      setHint(true);
      return;
    }
    setListening(false);
    setHint(false);
    void change({ shortcut: pressed });
  };
  return (
    <div className="shortcut">
      <Button
        variant="default"
        disabled={locked}
        data-listening={listening || undefined}
        onClick={() => setListening(true)}
        onKeyDown={onKey}
        onBlur={() => setListening(false)}
        aria-label={t("settings.shortcut.label", { shortcut: setting.value ? shownShortcut(setting.value, t) : t("settings.shortcut.none") })}
      >
        {listening ? t("settings.shortcut.press") : setting.value ? shownShortcut(setting.value, t) : t("settings.shortcut.none")}
      </Button>
      {setting.value && !locked && (
        <ActionIcon aria-label={t("settings.shortcut.remove")} onClick={() => void change({ shortcut: "" })}>
          <Close size={16} />
        </ActionIcon>
      )}
      <span role="status" className="quiet">
        {listening ? (hint ? t("settings.shortcut.modifier") : t("settings.shortcut.how")) : ""}
      </span>
    </div>
  );
}

function Health() {
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
