/**
 * The driver of the program with somebody who hears what it is asked, and what it answers.
 */
import type { ChainRecord } from '../../replication/chain/chain-record.ts'
import {
  ChainDriver,
  type ChainDriverComponents,
  type ChainDriverInit,
} from '../../replication/chain/driver.ts'
import type { Outcome } from '../../replication/chain/machine-state.ts'
import type { ClientRequest, Ending } from '../../replication/entry/requests.ts'
import type { PathName } from '../../ring/path-name.ts'

export interface DriverWatch {
  readonly asked: (request: ClientRequest) => void
  readonly answered: (request: ClientRequest, outcome: Outcome) => void
  readonly readAtOnce: (path: PathName, record: ChainRecord) => void
}

export class AskedDriver extends ChainDriver {
  readonly #watch: DriverWatch

  constructor(components: ChainDriverComponents, init: ChainDriverInit, watch: DriverWatch) {
    super(components, init)
    this.#watch = watch
  }

  override readAtOnce(path: PathName): ChainRecord | undefined {
    const record = super.readAtOnce(path)
    if (record !== undefined) this.#watch.readAtOnce(path, record)
    return record
  }

  override async request(request: ClientRequest, ending?: Ending): Promise<Outcome> {
    this.#watch.asked(request)
    const outcome = await super.request(request, ending)
    this.#watch.answered(request, outcome)
    return outcome
  }
}
