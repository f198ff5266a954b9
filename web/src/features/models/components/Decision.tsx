import { Button, Group, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import type { AssetModel, Model } from "@/api/types";
import { ErrorPanel } from "@/ui/components/Panel";
import { usePromote, useTakeBack } from "../api/models";
import { shortId } from "../words";

export interface Decided {
  kind: "promote" | "take back";
  model: Model;
}

interface DecisionProps {
  decided: Decided;
  of: AssetModel;
  onClose: () => void;
}

/** Says what will happen, asks why, and does it. */
export function Decision({ decided: { kind, model }, of, onClose }: DecisionProps) {
  const [reason, setReason] = useState("");
  const promote = usePromote();
  const takeBack = useTakeBack();
  const act = kind === "promote" ? promote : takeBack;
  const error = promote.error ?? takeBack.error;
  const verb = kind === "promote" ? "Make it champion" : "Roll back";
  return (
    <Modal opened onClose={onClose} title={`${verb}: ${shortId(model.id)}?`} centered closeButtonProps={{ "aria-label": "Close" }}>
      {error ? <ErrorPanel error={error} /> : null}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          act.mutate({ model: model.id, reason: reason.trim() }, { onSuccess: onClose });
        }}
      >
        <p>{kind === "promote" ? promoting(of) : takingBack(of)} It happens within a second, and the audit log keeps it.</p>
        <Textarea
          label="Why"
          required
          autosize
          minRows={2}
          maxLength={2000}
          data-autofocus
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Group justify="flex-end" gap="xs" mt="md">
          <Button variant="default" onClick={onClose}>
            Leave it as it is
          </Button>
          <Button type="submit" loading={act.isPending} disabled={reason.trim() === ""}>
            {verb}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}

function promoting({ champion, asset_id }: AssetModel): string {
  const before = champion ? ` in place of ${shortId(champion.id)}, without the days in its shadow` : "";
  return `It acts on ${asset_id} from then on${before}.`;
}

function takingBack({ history, asset_id }: AssetModel): string {
  const before = history.find(({ state }) => state === "retired");
  return before
    ? `It no longer acts on ${asset_id}. The model before it does again, if it was the last one to.`
    : `It no longer acts on ${asset_id}, and no model does then: limits and single signals are still watched.`;
}
