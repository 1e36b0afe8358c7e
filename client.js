// What `import 'altered-chord'` gives: the client library of src/client.
import { load } from './bin/load.js'

export const { StoreClient, StoreError, errorCode } = await load('client/client')
