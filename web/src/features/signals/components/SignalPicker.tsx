import { Button, Checkbox, Popover, Stack } from "@mantine/core";
import type { SignalInfo } from "@/api/types";
import { formatUnit, signalName } from "@/ui/format";

interface SignalPickerProps {
  signals: readonly SignalInfo[];
  /** Ids shown; null means all. */
  picked: readonly string[] | null;
  onPick: (ids: readonly string[] | undefined) => void;
}

/** Which of a machine's signals are drawn. */
export function SignalPicker({ signals, picked, onPick }: SignalPickerProps) {
  const shown = picked ?? signals.map((s) => s.id);
  const count = signals.filter((s) => shown.includes(s.id)).length;
  const change = (ids: string[]): void => onPick(ids.length === signals.length ? undefined : ids);
  return (
    <Popover position="bottom-start" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button variant="default">
          Signals {count} of {signals.length}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Checkbox.Group value={[...shown]} onChange={change} label="Signals shown">
          <Stack gap={8} mt={8}>
            {signals.map((s) => (
              <Checkbox key={s.id} value={s.id} label={`${signalName(s.name)} (${formatUnit(s.unit)})`} size="sm" />
            ))}
          </Stack>
        </Checkbox.Group>
      </Popover.Dropdown>
    </Popover>
  );
}
