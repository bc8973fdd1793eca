import { Button } from "@mantine/core";
import type { TFunction } from "i18next";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Trash } from "../../design/icons";
import type { Conversation } from "../../ipc/bindings";
import { conversationDelete } from "../../ipc/client";
import { Confirm } from "./Confirm";

type ButtonProps = {
  onClick: () => void;
  /** The element that names what would be deleted, where several could be. */
  describedBy?: string;
};

/** Leads to the question. */
export function DeleteButton({ onClick, describedBy }: ButtonProps) {
  const { t } = useTranslation();
  return (
    <Button
      variant="subtle"
      data-quiet
      size="compact-xs"
      leftSection={<Trash size={14} />}
      aria-describedby={describedBy}
      onClick={onClick}
    >
      {t("conversations.delete")}
    </Button>
  );
}

type Props = {
  /** Which is asked about; none where nothing is asked. */
  id: string | null;
  list: Conversation[];
  /** Who has what was sent; empty where it isn't known. */
  organisation: string;
  onClose: () => void;
  /** It is deleted, though still in the list. */
  onDone: (id: string) => void;
  /** It isn't in the list any more, and the focus that was on it needs another place. */
  onGone: () => void;
};

/** Asks before something that was said is deleted here; what stays elsewhere depends on how far it is by then. */
export function Deletion({ id, list, organisation, onClose, onDone, onGone }: Props) {
  const { t } = useTranslation();
  // Its words stay while the question goes, and follow it when it leaves meanwhile.
  const [doomed, setDoomed] = useState<Conversation | null>(null);
  const found = list.find((one) => one.id === id);
  if (found && found !== doomed) setDoomed(found);

  const deleted = useRef<string | null>(null);
  useEffect(() => {
    if (deleted.current === null || list.some((one) => one.id === deleted.current)) return;
    deleted.current = null;
    onGone();
  });

  return (
    <Confirm
      opened={id !== null}
      onClose={onClose}
      title={t("conversations.delete_title")}
      text={doomed ? whatStays(doomed, organisation, t) : ""}
      action={t("common.delete")}
      done={t("knows.deleted")}
      act={() => conversationDelete(id ?? "")}
      onDone={() => {
        deleted.current = id;
        if (id !== null) onDone(id);
      }}
    />
  );
}

function whatStays({ state }: Conversation, organisation: string, t: TFunction): string {
  if (state.state === "waiting") return t("conversations.delete_waiting");
  if (state.state === "refused") return t("conversations.delete_refused");
  return t("conversations.delete_sent", { organisation: organisation || t("conversations.delete_server") });
}
