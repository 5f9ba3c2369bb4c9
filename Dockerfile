# One image for every arrangement. Build:  docker build -t smart-imaging-gateway:0.1.0 .
# Its three commands; all of them need no more than /data and /tmp to be writable:
#   node dist/gateway/main.js            the whole gateway; with CLINICAL_URL and IMAGING_URL: the gateway alone
#   node dist/gateway/main.js clinical   the clinical subgraph
#   node dist/gateway/main.js imaging    the imaging subgraph
# gateway/test/image.whole.test.ts executes these steps without a container engine.

# The full image has python3, make and g++, for the native module when its prebuilt binary is out of reach.
FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# What is bundled goes: only packages that stay packages are in the image.
RUN node gateway/build.mjs && cp dist/image-package.json package.json && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
# Threads share two heaps of malloc; one for each thread takes a tenth more memory and is no faster (glibc).
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 DATA_DIR=/data MALLOC_ARENA_MAX=2
WORKDIR /app
# Texts in pictures are drawn with a font of the system.
RUN apt-get update && apt-get install -y --no-install-recommends fontconfig-config fonts-dejavu-core \
  && rm -rf /var/lib/apt/lists/*
# The image's user `node` is 1000:1000; the code stays root's, so that it cannot change itself.
RUN install -d -o node -g node -m 0700 /data
COPY --from=build /app/package.json /app/LICENSE /app/NOTICE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/schema/*.graphql /app/schema/*.json ./schema/
COPY --from=build /app/gateway/tenants/*.json ./gateway/tenants/
COPY --from=build /app/gateway/demo/patients ./gateway/demo/patients
COPY --from=build /app/dist ./dist
USER 1000:1000
VOLUME /data
EXPOSE 4000 30104
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/gateway/main.js"]
