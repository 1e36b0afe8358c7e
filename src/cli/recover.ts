/**
 * `altered-chord recover`: the last resort for ranges whose majority is gone for good.
 */
import type { Command } from 'commander'
import type { RecoveryPlan, StoreClient } from '../client/client.ts'
import { counted } from '../quantity.ts'
import { addConnectionOptions, type ConnectionOptions, withClient } from './connection.ts'
import { EXIT_CODES, note, print, type Session } from './session.ts'

interface RecoverOptions extends ConnectionOptions {
  readonly force?: boolean
  readonly json?: boolean
}

export function addRecoverCommand(program: Command, session: Session): void {
  const command = program
    .command('recover')
    .summary('give up nodes that are gone for good')
    .description(
      'Says which parts of the ring cannot come back by themselves, because most of the nodes that decide there, or all that\n' +
        'keep it, do not answer; and what would be left of them. With --force one survivor of each goes on alone, and the\n' +
        'network repairs itself from there. What only the silent nodes had is gone then, also when they come back. Make\n' +
        'sure that they are not merely cut off: both sides would go on, and the writes of theirs would be lost.',
    )
    .option('--force', 'do it; without this nothing is changed')
    .option('--json', 'print the plan as JSON')
  addConnectionOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  altered-chord recover --node 5001
  altered-chord recover --node 5001 --force`,
    )
    .action((options: RecoverOptions) =>
      withClient(session, options, client => recover(session, client, options)),
    )
}

async function recover(session: Session, client: StoreClient, options: RecoverOptions): Promise<void> {
  const { signal } = session
  const plan = await client.planRecovery({ signal })
  for (const line of options.json ? [JSON.stringify(plan)] : linesOf(plan)) await print(session, line)
  if (plan.ranges.length === 0) return
  const hopeless = plan.ranges.filter(({ survivor }) => survivor === null).length
  if (hopeless > 0) session.exitCode = EXIT_CODES.refused
  if (!options.force) {
    note(
      session,
      'Nothing was changed. With --force the silent nodes are given up, and what only they had is lost.',
    )
    return
  }
  await print(session, `${counted(await client.recover(plan.plan, { signal }), 'range')} recovered by force`)
}

/** What an operator has to know before saying yes. */
function linesOf({ silent, ranges }: RecoveryPlan): string[] {
  if (ranges.length === 0) return ['no range is lost']
  const lines = [
    `${counted(ranges.length, 'range')} ${ranges.length === 1 ? 'is' : 'are'} lost while these do not answer: ${silent.join(', ')}`,
  ]
  const groups = new Map<string, { ranges: number; files: number }>()
  for (const { survivor, files = 0, isNewest } of ranges) {
    const what =
      survivor === null
        ? 'no survivor has anything of them'
        : `${survivor} has ${isNewest ? 'their newest known state' : 'an older state, later writes are lost'}`
    const group = groups.get(what) ?? { ranges: 0, files: 0 }
    groups.set(what, { ranges: group.ranges + 1, files: group.files + files })
  }
  for (const [what, group] of groups)
    lines.push(`  ${counted(group.ranges, 'range')}, ${counted(group.files, 'file')}: ${what}`)
  return lines
}
