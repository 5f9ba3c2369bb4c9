#!/bin/sh
# Creates a user and a database of its own for each server; the image runs it once, when its volume is empty.
set -eu
for name in orthanc hapi; do
  case $name in
    orthanc) password=$ORTHANC_DB_PASSWORD ;;
    hapi) password=$HAPI_DB_PASSWORD ;;
  esac
  psql --username postgres --set ON_ERROR_STOP=1 --set name="$name" --set password="$password" <<'SQL'
CREATE USER :"name" PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
