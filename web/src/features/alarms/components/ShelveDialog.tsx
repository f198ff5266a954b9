import { Button, Group, Modal, NumberInput, SegmentedControl, Stack, Textarea } from "@mantine/core";
import { useState } from "react";
import type { Alarm } from "@/api/types";
import { useNow } from "@/ui/clock";
import { ErrorPanel } from "@/ui/components/Panel";
import { formatTime, prose, zoneName } from "@/ui/format";

interface ShelveDialogProps {
  alarms: readonly Alarm[];
  opened: boolean;
  error: Error | null;
  busy: boolean;
  onClose: () => void;
  onShelve: (minutes: number, reason: string) => void;
}

const PRESETS = [
  { value: "15", label: "15 min" },
  { value: "60", label: "1 h" },
  { value: "240", label: "4 h" },
  { value: "480", label: "8 h" },
  { value: "1440", label: "24 h" },
  { value: "custom", label: "Other" },
];
const LONGEST_MIN = 10_080;
const NAMED = 4;

/** How long, and why. A shelved alarm comes back by itself. */
export function ShelveDialog({ opened, ...form }: ShelveDialogProps) {
  return (
    <Modal
      opened={opened}
      onClose={form.onClose}
      title={`Shelve ${whatOf(form.alarms)}`}
      centered
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <ShelveForm {...form} />
    </Modal>
  );
}

const whatOf = (alarms: readonly Alarm[]): string => (alarms.length > 1 ? `${alarms.length} alarms` : "this alarm");

/** As it was at first each time that the dialog opens. */
function ShelveForm({ alarms, error, busy, onClose, onShelve }: Omit<ShelveDialogProps, "opened">) {
  const [preset, setPreset] = useState("60");
  const [custom, setCustom] = useState<string | number>(120);
  const [reason, setReason] = useState("");
  const minutes = preset === "custom" ? Number(custom) : Number(preset);
  const valid = Number.isInteger(minutes) && minutes >= 1 && minutes <= LONGEST_MIN;
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (valid && !busy) onShelve(minutes, reason.trim());
      }}
    >
      <Stack gap="sm">
        {error ? <ErrorPanel error={error} /> : null}
        <div>
          {alarms.slice(0, NAMED).map((alarm) => (
            <div key={alarm.id}>
              <strong>{alarm.asset_name}</strong> {prose(alarm.title)}
            </div>
          ))}
          {alarms.length > NAMED ? <div className="muted">and {alarms.length - NAMED} more</div> : null}
        </div>
        <SegmentedControl aria-label="Duration" fullWidth value={preset} onChange={setPreset} data={PRESETS} />
        {valid ? <Return minutes={minutes} /> : null}
        {preset === "custom" ? (
          <NumberInput
            label="Minutes"
            description="1 to 10 080 (seven days)"
            min={1}
            max={LONGEST_MIN}
            allowDecimal={false}
            value={custom}
            onChange={setCustom}
          />
        ) : null}
        <Textarea
          label="Reason"
          description="What is known, and what is done about it"
          autosize
          minRows={2}
          data-autofocus
          value={reason}
          onChange={(e) => setReason(e.currentTarget.value)}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Keep it as it is
          </Button>
          <Button type="submit" loading={busy} disabled={!valid}>
            Shelve {whatOf(alarms)}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** When the shelved alarm will be back. */
function Return({ minutes }: { minutes: number }) {
  const now = useNow();
  return (
    <div className="muted">
      Comes back by itself at <span className="num">{formatTime(now + minutes * 60_000, now)}</span> ({zoneName()}), if it is
      still active.
    </div>
  );
}
