#!/bin/sh
# What `make demo` shows: each step says what it does, prints its command and runs exactly that.
# Usage: sample_data/demo.sh FOLDER, with custimport on the PATH; the report goes to FOLDER.
set -eu
sample=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
# A folder of its own and no settings: neither a .env file nor a variable may lead the demo to another server.
cd "$1"
for name in MONGODB_URI $(env | sed -n 's/^\(CUSTIMPORT_[A-Z_]*\)=.*/\1/p'); do
    case $name in
    CUSTIMPORT_MONGOD | CUSTIMPORT_DATA_DIR) ;;
    *) unset "$name" ;;
    esac
done
ln -sf "$sample/customers.csv" customers.csv

step() {
    printf '\n%s\n$ ' "$1"
    shift
    echo "$*"
    "$@"
}

exit_code=0
step 'sample_data/customers.csv has good rows and a bad row of every kind. Load it into the embedded MongoDB:' \
    custimport load customers.csv --on-duplicate update --report rejections.csv --database custimport_demo ||
    exit_code=$?
if [ "$exit_code" -ne 3 ]; then
    echo "exit code $exit_code, but 3 was expected: done, with rows rejected" >&2
    exit 1
fi
printf '\n%s\n' 'That was exit code 3: done, but rows were rejected, as they should be in this file. A second run of the'
echo 'demo loads the same file again: the customers are there already and are updated or left unchanged.'

step 'Every rejected row is in the report, with the cells as they were and every reason:' \
    head -n 6 rejections.csv
step 'The valid rows are customers now:' \
    custimport customers list --limit 8 --database custimport_demo
step 'And the import is in the history:' \
    custimport imports list --limit 3 --database custimport_demo
printf '\nThe report is in %s. To go on: make help, README.md, .venv/bin/custimport --help\n' "$PWD/rejections.csv"
