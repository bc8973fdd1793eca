import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { bytes } from "../../i18n";
import type { FeedbackPreview, Sentence } from "../../ipc/bindings";
import { asSentence } from "../../ipc/client";
import { Problem } from "./Problem";

/** Where the bytes come from: the same source as long as they are the same. */
export type Source = { request: () => Promise<FeedbackPreview>; picture: () => Promise<ArrayBuffer> };

type Props = {
  source: Source;
  /** Whether marks are among it. */
  marked?: boolean;
  /** Whether the server refused it, so that it stays here. */
  refused?: boolean;
};

/** What the person says, exactly: the request as it leaves, and the picture with what is hidden burnt into it. */
export function Exactly({ source, marked, refused }: Props) {
  const { t } = useTranslation();
  const [preview, setPreview] = useState<FeedbackPreview | null>(null);
  const [url, setUrl] = useState<string | null>(null);
  const [problem, setProblem] = useState<Sentence | null>(null);

  useEffect(() => {
    let gone = false;
    let made: string | null = null;
    const show = async () => {
      const found = await source.request();
      if (gone) return;
      setPreview(found);
      if (found.picture_bytes === 0) return;
      const picture = await source.picture();
      if (gone) return;
      made = URL.createObjectURL(new Blob([picture]));
      setUrl(made);
    };
    show().catch((thrown: unknown) => gone || setProblem(asSentence(thrown)));
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [source]);

  if (problem) return <Problem sentence={problem} />;
  if (!preview) {
    return (
      <div className="preview" aria-busy="true">
        <p className="quiet">{t("common.wait")}</p>
      </div>
    );
  }
  const { json, picture_bytes, server } = preview;
  const pictured = picture_bytes > 0;
  const values = { server, size: bytes(picture_bytes) };
  return (
    <>
      <p className="quiet">
        {refused
          ? t(pictured ? "feedback.preview_refused_picture" : "feedback.preview_refused", values)
          : server === ""
            ? t(pictured ? "feedback.preview_nowhere_picture" : "feedback.preview_nowhere", values)
            : t(pictured ? "feedback.preview_to_picture" : "feedback.preview_to", values)}
      </p>
      <div className="preview" data-picture={pictured || undefined}>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard. */}
        <div className="preview-json" tabIndex={0} role="region" aria-label={t("feedback.preview_json")}>
          <pre>{json}</pre>
        </div>
        {pictured && (
          <div className="preview-picture">
            {!url && <p className="quiet">{t("common.wait")}</p>}
            {url && <img src={url} alt={t("feedback.preview_picture")} />}
            {marked && <p className="quiet">{t("feedback.preview_marks")}</p>}
          </div>
        )}
      </div>
    </>
  );
}
