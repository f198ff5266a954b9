import { Button } from "@mantine/core";
import { useState } from "react";
import { Confirm } from "@/ui/components/Confirm";
import { ErrorPanel, Panel } from "@/ui/components/Panel";
import { useRetireGateway } from "../api/gateways";
import classes from "./Gateways.module.css";

interface RetirePanelProps {
  gateway: string;
  onRetired: () => void;
}

/** For a gateway that does not speak any more. */
export function RetirePanel({ gateway, onRetired }: RetirePanelProps) {
  const [asking, setAsking] = useState(false);
  const retire = useRetireGateway(gateway);
  return (
    <Panel title="No longer in use?" flush>
      {retire.error ? <ErrorPanel error={retire.error} /> : null}
      <div className={classes.retire}>
        <span>A gateway that was taken out of service stays listed as away until it is retired.</span>
        <Button variant="default" onClick={() => setAsking(true)}>
          Retire gateway
        </Button>
      </div>
      <Confirm
        title={`Retire ${gateway}?`}
        verb="Retire"
        keep="Keep it as it is"
        opened={asking}
        busy={retire.isPending}
        onClose={() => setAsking(false)}
        onConfirm={() => retire.mutate(undefined, { onSuccess: onRetired, onError: () => setAsking(false) })}
      >
        Its conditions, their history and the requests to it are forgotten here; its readings stay. If it speaks again, it is
        listed again: to keep it out, revoke its key under Machines.
      </Confirm>
    </Panel>
  );
}
