import { Modal } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { bytes } from "../../i18n";
import type { Draft, FeedbackPreview, Sentence } from "../../ipc/bindings";
import { asSentence, feedbackPreview, feedbackPreviewPicture } from "../../ipc/client";
import { Look } from "../parts/Look";
import { Problem } from "../parts/Problem";

type Props = { scheme: "light" | "dark"; opened: boolean; onClose: () => void; draft: () => Draft };

/** Exactly what will be sent: the request as it leaves, and the picture with what is hidden burnt into it. */
export function Preview({ scheme, opened, onClose, draft }: Props) {
  const { t } = useTranslation();
  return (
    <Look scheme={scheme}>
      <Modal
        opened={opened}
        onClose={onClose}
        title={t("feedback.preview")}
        size="92%"
        closeButtonProps={{ "aria-label": t("common.close") }}
      >
        {opened && <Content draft={draft} />}
      </Modal>
    </Look>
  );
}

function Content({ draft }: { draft: () => Draft }) {
  const { t } = useTranslation();
  const [preview, setPreview] = useState<FeedbackPreview | null>(null);
  const [url, setUrl] = useState<string | null>(null);
  const [problem, setProblem] = useState<Sentence | null>(null);

  useEffect(() => {
    let gone = false;
    let made: string | null = null;
    const now = draft();
    const show = async () => {
      const found = await feedbackPreview(now);
      if (gone) return;
      setPreview(found);
      if (found.picture_bytes === 0) return;
      const picture = await feedbackPreviewPicture(now);
      if (gone) return;
      made = URL.createObjectURL(new Blob([picture]));
      setUrl(made);
    };
    show().catch((thrown: unknown) => gone || setProblem(asSentence(thrown)));
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [draft]);

  if (problem) return <Problem sentence={problem} />;
  if (!preview) {
    return (
      <div className="preview" aria-busy="true">
        <p className="quiet">{t("common.wait")}</p>
      </div>
    );
  }
  return (
    <>
      <p className="quiet">
        {preview.picture_bytes > 0
          ? t(preview.server === "" ? "feedback.preview_nowhere_picture" : "feedback.preview_to_picture", {
              server: preview.server,
              size: bytes(preview.picture_bytes),
            })
          : t(preview.server === "" ? "feedback.preview_nowhere" : "feedback.preview_to", { server: preview.server })}
      </p>
      <div className="preview" data-picture={preview.picture_bytes > 0 || undefined}>
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- What scrolls must be reached by the keyboard. */}
        <div className="preview-json" tabIndex={0} role="region" aria-label={t("feedback.preview_json")}>
          <pre>{preview.json}</pre>
        </div>
        {preview.picture_bytes > 0 && (
          <div className="preview-picture">
            {!url && <p className="quiet">{t("common.wait")}</p>}
            {url && <img src={url} alt={t("feedback.preview_picture")} />}
            {draft().marks.length > 0 && <p className="quiet">{t("feedback.preview_marks")}</p>}
          </div>
        )}
      </div>
    </>
  );
}
