import type { GatewayLedger } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatCount, sentence } from "@/ui/format";
import { ledgerWords } from "../words";
import classes from "./Gateways.module.css";

const PARTS = ["acknowledged", "pending", "refused", "left_to_partner", "thinned_early", "thinned", "in_hand"] as const;
const WORDS: Record<(typeof PARTS)[number], string> = {
  acknowledged: "taken by the site",
  pending: "waiting to be sent",
  refused: "refused by the site",
  left_to_partner: "left to the partner",
  thinned_early: "thinned early, the buffer was full",
  thinned: "thinned out",
  in_hand: "not decided yet",
};

/** Where every reading went that the gateway ever took. */
export function LedgerPanel({ ledger }: { ledger: GatewayLedger }) {
  const [told, sum] = ledgerWords(ledger);
  const shown = PARTS.filter((part) => ledger[part] > 0);
  return (
    <Panel title="Ledger">
      <p className={classes.sentence}>
        {told}{" "}
        <span className={classes.state}>
          <StateMark name={ledger.adds_up ? "normal" : "alarm"} compact />
          <strong>{sum}</strong>
        </span>
      </p>
      <div className={classes.stack} aria-hidden="true">
        {shown.map((part) => (
          <span key={part} className={classes.part} data-part={part} style={{ flexGrow: ledger[part] }} />
        ))}
      </div>
      <ul className={classes.key}>
        {shown.map((part) => (
          <li key={part}>
            <span className={`${classes.swatch} ${classes.part}`} data-part={part} aria-hidden="true" />
            {sentence(WORDS[part])} <strong className="num">{formatCount(ledger[part])}</strong>
          </li>
        ))}
      </ul>
      <p className="muted">
        Besides, {formatCount(ledger.rejected)} were rejected with a reason and {formatCount(ledger.duplicate)} came twice.
      </p>
    </Panel>
  );
}
