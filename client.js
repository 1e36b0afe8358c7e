// What `import 'altered-chord'` gives: the client library of src/client, for programs that do not run TypeScript.
import { tsImport } from 'tsx/esm/api'

const library = await tsImport('./src/client/client.ts', { parentURL: import.meta.url, tsconfig: false })

export const StoreClient = library.StoreClient
export const StoreError = library.StoreError
export const errorCode = library.errorCode
