import { Button, Checkbox, Group, Modal, NumberInput } from "@mantine/core";
import { useState } from "react";
import type { Candidate } from "@/api/types";
import { ErrorPanel } from "@/ui/components/Panel";
import { formatTime } from "@/ui/format";
import { inBounds } from "@/ui/in-bounds";
import { useBeginRollout } from "../api/rollouts";
import { beginWords } from "../rollouts";
import { shortId } from "../words";
import classes from "./Rollouts.module.css";

const SHARE_PCT = 10;

const shareOf = (percent: number | null): number | null => (percent === null ? null : percent / 100);

interface BeginRolloutProps {
  candidates: readonly Candidate[];
  names: ReadonlyMap<string, string>;
  onClose: () => void;
}

/** Which candidates, on how many machines first, and what will happen. */
export function BeginRollout({ candidates, names, onClose }: BeginRolloutProps) {
  const sorted = [...candidates].sort((a, b) => Number(a.reason !== "") - Number(b.reason !== ""));
  const [chosen, setChosen] = useState<readonly string[]>(() => sorted.filter((c) => c.reason === "").map((c) => c.asset_id));
  const [percent, setPercent] = useState<number | string>(SHARE_PCT);
  const begin = useBeginRollout();
  const share = shareOf(inBounds(percent, 1, 100));
  const assets = sorted.map((c) => c.asset_id).filter((id) => chosen.includes(id));
  return (
    <Modal opened onClose={onClose} title="Begin a rollout" size="lg" centered closeButtonProps={{ "aria-label": "Close" }}>
      {begin.error ? <ErrorPanel error={begin.error} /> : null}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (share !== null) begin.mutate({ assets, share }, { onSuccess: onClose });
        }}
      >
        <Checkbox
          label={`All machines with a candidate (${String(sorted.length)})`}
          checked={assets.length === sorted.length}
          indeterminate={assets.length > 0 && assets.length < sorted.length}
          onChange={(event) => setChosen(event.currentTarget.checked ? sorted.map((c) => c.asset_id) : [])}
        />
        <div className={classes.candidates} role="group" aria-label="Candidates">
          {sorted.map(({ asset_id, model_id, created_at, reason }) => (
            <Checkbox
              key={asset_id}
              label={
                <>
                  <strong>{names.get(asset_id) ?? asset_id}</strong>{" "}
                  <span className="muted num">
                    {shortId(model_id)}, trained {formatTime(created_at)}
                  </span>
                </>
              }
              description={reason ? `Set aside: ${reason}` : undefined}
              checked={chosen.includes(asset_id)}
              onChange={(event) =>
                setChosen(event.currentTarget.checked ? [...chosen, asset_id] : chosen.filter((id) => id !== asset_id))
              }
            />
          ))}
        </div>
        <NumberInput
          label="Acts first on so many of them, %"
          min={1}
          max={100}
          w={220}
          value={percent}
          onChange={setPercent}
          error={share === null ? "From 1 to 100" : null}
        />
        <p className={classes.what} role="status">
          {beginWords(assets.length, share)}
        </p>
        <Group justify="flex-end" gap="xs" mt="md">
          <Button variant="default" onClick={onClose}>
            Leave it as it is
          </Button>
          <Button type="submit" loading={begin.isPending} disabled={assets.length === 0 || share === null}>
            Begin rollout
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
