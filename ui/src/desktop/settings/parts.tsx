import { useId, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Lock } from "../../design/icons";
import type { Setting, SettingsChange } from "../../ipc/bindings";

/** Sets what is given; says by itself whether it was taken. */
export type Change = (wanted: SettingsChange) => Promise<void>;

export function Section({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
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

/** Whose setting it is, where it isn't the person's. */
export function LockedBy({ organisation }: { organisation: string }) {
  const { t } = useTranslation();
  return (
    <p className="locked">
      <Lock size={14} /> {t("settings.locked", { organisation })}
    </p>
  );
}

/** A setting; where IT set it, with a lock and by whom. */
export function Locked({ setting, children }: { setting: Setting<unknown>; children: ReactNode }) {
  return (
    <div className="setting" data-locked={setting.locked_by !== null || undefined}>
      {children}
      {setting.locked_by !== null && <LockedBy organisation={setting.locked_by} />}
    </div>
  );
}
