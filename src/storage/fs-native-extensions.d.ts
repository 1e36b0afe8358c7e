/** The one function that we use of a package without types of its own. */
declare module 'fs-native-extensions' {
  const extensions: {
    /** Takes an exclusive lock on an open file that its close, or the end of the process, releases; false when taken. */
    tryLock(fileDescriptor: number): boolean
  }
  // biome-ignore lint/style/noDefaultExport: the package is CommonJS
  export default extensions
}
