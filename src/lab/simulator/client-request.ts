/**
 * What a simulated node does for its clients: it asks replication as the file service of the program does, and turns
 * what that gives or throws into outcomes.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Timers } from '../../env.ts'
import { errorCode, type StoreError } from '../../errors.ts'
import { Trash } from '../../files/trash.ts'
import type { IdempotencyKey } from '../../replication/chain/chain-record.ts'
import type { Outcome } from '../../replication/chain/machine-state.ts'
import type { ClientRequest } from '../../replication/entry/requests.ts'
import type { Change, ChangeOptions, Condition, Replication } from '../../replication/replication.ts'
import type { PathName } from '../../ring/path-name.ts'
import type { FileRecord } from '../../storage/record.ts'
import { type TrashName, trashFactsOf } from '../../storage/trash-name.ts'
import { bytesOf, findAndRead, sending } from './client-bodies.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What a client asks: what a machine is asked, and what the program makes of several such requests. */
export type Wish =
  | Exclude<ClientRequest, { kind: 'refuse' }>
  | { readonly kind: 'trash'; readonly path: PathName }
  | {
      readonly kind: 'restore'
      readonly path: PathName
      readonly name: TrashName
      readonly condition: Condition
      readonly key?: IdempotencyKey
    }

/** What a client is told. */
export type Told =
  | { readonly kind: 'trash'; readonly names: readonly TrashName[] }
  | Exclude<Outcome, { kind: 'value' | 'done' }>
  | { readonly kind: 'done'; readonly replaced: boolean }
  | { readonly kind: 'found'; readonly record: FileRecord | undefined }

/** For which request of a client the program works at the moment: it hands none of our names down. */
const asking = new AsyncLocalStorage<string>()

/** The request of a client for which this code runs, if it does for one. */
export function askedFor(): string | undefined {
  return asking.getStore()
}

/** For clients that send bytes and read them. */
export interface ClientEnv {
  readonly timers: Pick<Timers, 'sleep'>
  readonly random: SeededRandom
}

/** Bytes of one body. */
const BODY_BYTES_MAX = 2 ** 40

/** Asks on behalf of a client. Without `env` bodies have no bytes: they are only names. */
export function askAsClient(
  replication: Replication,
  id: string,
  request: Wish,
  env: ClientEnv | undefined,
): Promise<Told> {
  return asking.run(id, async () => {
    try {
      return await ask(replication, request, env)
    } catch (error) {
      return outcomeOf(error, request)
    }
  })
}

async function ask(replication: Replication, request: Wish, env: ClientEnv | undefined): Promise<Told> {
  const find = (path: PathName) =>
    env === undefined ? replication.find(path) : findAndRead(replication, path)
  switch (request.kind) {
    case 'get':
      return { kind: 'found', record: (await find(request.path)).record }
    case 'copy': {
      const { record } = await replication.find(request.from)
      if (record === undefined) return { kind: 'failed', reason: 'no-source' }
      const body = await replication.stageCopy(record)
      const { meta } = record
      return commit(replication, { kind: 'put', path: request.to, condition: 'absent', body, meta })
    }
    case 'put': {
      const { path, condition, meta } = request
      const body = await stage(replication, request, env)
      return commit(replication, { kind: 'put', path, condition, body, meta }, keyOf(request))
    }
    case 'remove':
      return commit(
        replication,
        { kind: 'remove', path: request.path, condition: request.condition },
        keyOf(request),
      )
    case 'forget':
      await replication.forget(request.path, request.names, request.agedMs)
      return { kind: 'done', replaced: false }
    case 'trash':
      return { kind: 'trash', names: await replication.trash(request.path) }
    case 'restore': {
      const { path, name, condition, key } = request
      const { replaced } = await trashOf(replication).restore(path, {
        ...{ condition, version: trashFactsOf(name).version },
        ...(key && { idempotencyKey: key.key }),
      })
      return { kind: 'done', replaced }
    }
    case 'move': {
      const { from, to, condition } = request
      return commit(replication, { kind: 'move', from, path: to, condition }, keyOf(request))
    }
  }
}

async function stage(
  replication: Replication,
  { body, path }: ClientRequest & { kind: 'put' },
  env: ClientEnv | undefined,
) {
  if (env === undefined) return { ...body, stageId: '' }
  return replication.stage(sending(bytesOf(body), env), { path, sizeMax: BODY_BYTES_MAX })
}

function trashOf(replication: Replication): Trash {
  const commitKeyed = (change: Change, idempotency: ChangeOptions['idempotency']) =>
    replication.commit(change, idempotency && { idempotency })
  return new Trash({ replication, commit: commitKeyed })
}

async function commit(replication: Replication, change: Change, options: ChangeOptions = {}): Promise<Told> {
  const { replaced } = await replication.commit(change, options)
  return { kind: 'done', replaced }
}

function keyOf({ key }: ClientRequest & { kind: 'put' | 'remove' | 'move' }): ChangeOptions {
  return key === undefined ? {} : { idempotency: { key: key.key, fingerprint: key.fingerprint } }
}

/** What a client may conclude from an error: only its code counts. */
function outcomeOf(error: unknown, { kind }: Wish): Told {
  switch (errorCode(error)) {
    case 'FILE_EXISTS':
    case 'PRECONDITION_FAILED':
      return { kind: 'failed', reason: 'condition' }
    case 'FILE_NOT_FOUND':
      if (kind === 'put' || kind === 'copy' || kind === 'restore')
        return { kind: 'failed', reason: 'no-body' }
      return { kind: 'failed', reason: kind === 'move' ? 'no-source' : 'condition' }
    case 'IDEMPOTENCY_KEY_REUSED':
      return { kind: 'failed', reason: 'key-reused' }
    case 'OVERLOADED':
      return { kind: 'failed', reason: 'too-many-keys' }
    case 'UNAVAILABLE':
    case 'DISK_FULL':
      return { kind: 'unavailable' }
    case 'INDETERMINATE':
      return { kind: 'indeterminate' }
    default:
      throw error as StoreError
  }
}
