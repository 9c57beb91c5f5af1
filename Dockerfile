# docker build -t enroute .
# docker run -p 8080:8080 -v enroute:/data enroute

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/enroute ./cmd/enroute
RUN mkdir /out/data

# Certificates, a user and nothing else: no shell, no package manager.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/enroute /enroute
# The folder belongs to the user, so that a new volume mounted here does too.
COPY --from=build --chown=nonroot:nonroot /out/data /data
USER nonroot
ENV ENROUTE_LISTEN=:8080 ENROUTE_DATA=/data ENROUTE_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/enroute", "health"]
ENTRYPOINT ["/enroute"]
CMD ["serve"]
