/** What follows the text field: the picture's editor, the rating, tags, steps. Drawn after the window's first picture. */
import { useTranslation } from "react-i18next";

import { Right } from "../../design/icons";
import type { Draft, TrailStep } from "../../ipc/bindings";
import { Look } from "../parts/Look";
import { TagsField } from "../parts/TagsField";
import { Faces } from "./Faces";
import { PictureEditor, type PictureProps } from "./PictureEditor";
import { Steps } from "./Steps";

/** The server's limits: see sync-server/wire/src/limits.rs. */
const MOST_TAGS = 20;
const MOST_TAG_CHARACTERS = 40;

type Scheme = { scheme: "light" | "dark" };

export function Picture({ scheme, ...props }: PictureProps & Scheme) {
  return (
    <Look scheme={scheme}>
      <PictureEditor key={props.picture.id} {...props} />
    </Look>
  );
}

type MoreProps = Scheme & {
  draft: Draft;
  steps: TrailStep[];
  onChange: (change: Partial<Draft>) => void;
  onPreview: () => void;
};

export function More({ scheme, draft, steps, onChange, onPreview }: MoreProps) {
  const { t } = useTranslation();
  return (
    <>
      <Faces value={draft.rating} onChange={(rating) => onChange({ rating })} />
      <TagsField
        label={t("feedback.tags")}
        hideLabel
        placeholder={t("feedback.tags_hint")}
        value={draft.tags}
        onChange={(tags) => onChange({ tags })}
        max={MOST_TAGS}
        maxCharacters={MOST_TAG_CHARACTERS}
      />
      <Look scheme={scheme}>
        <Steps steps={steps} attached={draft.steps} onChange={(steps) => onChange({ steps })} />
      </Look>
      <button className="quiet-line quiet-button" type="button" onClick={onPreview}>
        <span>{t("feedback.preview")}</span>
        <Right size={16} />
      </button>
    </>
  );
}
