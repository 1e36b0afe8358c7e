# One node in a container: `docker compose up --build` starts three. deploy/README.md says how to run it for real.
#
# The base is named by the major version that is tried (24, long-term support) on a named Debian: a rebuild takes the fixes of both,
# and nothing else changes. A release pins it further, to the digest it was tried with:
#   docker build --build-arg BASE=node:24-bookworm-slim@sha256:… .
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# The native packages bring ready binaries; without install scripts a build runs nobody's code but npm's.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM packages AS program
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY packaging/build.js packaging/
COPY src src
RUN npm run build

FROM ${BASE}
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=program /app/dist dist
COPY package.json LICENSE start.js statement.md ./
COPY bin bin
COPY deploy/health-check.js deploy/health-check.js
# A new named volume takes the owner of the folder that it covers.
RUN ln -s /app/bin/altered-chord.js /usr/local/bin/altered-chord && install -d -o node -g node -m 0700 /data
# Beyond loopback a node wants a secret and a token, or an explicit --insecure; a container without any of them says so and ends.
# Running requests get 8 s at a stop: `docker stop` kills after 10 s.
ENV NODE_ENV=production \
    ALTERED_CHORD_HOST=0.0.0.0 \
    ALTERED_CHORD_DATA=/data \
    ALTERED_CHORD_SHUTDOWN_TIMEOUT=8s
USER node
VOLUME /data
EXPOSE 5000
# Alive, not ready: who restarts an unhealthy container must not restart one that waits for its peers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "deploy/health-check.js"]
CMD ["node", "start.js"]
