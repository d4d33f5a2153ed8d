"""Names of widely used packages of PyPI and npm, written down from common knowledge: no data set, no licence.

They are what a made-up or mistyped name is held against; a name that is not here is not thereby suspicious.
"""

from __future__ import annotations

from fastgate.guards.scanners._formats import words

PYPI = frozenset(
    words("""
        requests numpy pandas scipy matplotlib scikit-learn tensorflow torch torchvision keras flask django
        fastapi uvicorn gunicorn starlette pydantic sqlalchemy alembic psycopg2 psycopg2-binary psycopg asyncpg
        pymysql mysqlclient redis celery kombu boto3 botocore awscli s3transfer aiohttp httpx httpcore urllib3
        certifi idna charset-normalizer chardet click typer rich tqdm colorama termcolor jinja2 markupsafe
        werkzeug itsdangerous pyyaml toml tomli tomlkit pytest pytest-cov pytest-asyncio pytest-mock
        pytest-xdist hypothesis tox nox coverage mock responses freezegun faker black isort flake8 pylint ruff
        mypy bandit pre-commit setuptools wheel pip build twine virtualenv poetry poetry-core flit hatchling
        cython cffi pycparser cryptography pyopenssl pyjwt python-jose passlib bcrypt paramiko fabric ansible
        docker kubernetes google-auth google-cloud-storage google-cloud-bigquery google-api-python-client
        azure-identity azure-storage-blob openai anthropic langchain langchain-core langgraph llama-index
        transformers tokenizers datasets accelerate huggingface-hub sentence-transformers tiktoken sentencepiece
        spacy nltk gensim textblob beautifulsoup4 lxml html5lib selenium playwright scrapy pillow opencv-python
        imageio scikit-image seaborn plotly bokeh altair dash streamlit gradio jupyter jupyterlab notebook
        ipython ipykernel nbformat nbconvert networkx sympy statsmodels xgboost lightgbm catboost numba dask
        pyarrow polars duckdb fastparquet openpyxl xlrd xlsxwriter python-docx pypdf reportlab attrs
        dataclasses-json marshmallow msgspec orjson ujson simplejson protobuf grpcio grpcio-tools thrift avro
        confluent-kafka kafka-python pika elasticsearch opensearch-py pymongo motor cassandra-driver neo4j
        influxdb-client prometheus-client opentelemetry-api opentelemetry-sdk sentry-sdk structlog loguru
        python-dotenv environs dynaconf python-dateutil pytz tzdata arrow pendulum babel regex six packaging
        typing-extensions filelock platformdirs psutil watchdog schedule apscheduler gevent eventlet greenlet
        trio anyio uvloop websockets websocket-client tornado twisted sanic bottle falcon graphene
        strawberry-graphql djangorestframework django-cors-headers django-filter whitenoise flask-sqlalchemy
        flask-cors flask-login flask-migrate wtforms email-validator stripe twilio sendgrid slack-sdk discord-py
        python-telegram-bot tweepy praw pygithub gitpython dulwich jsonschema jsonpath-ng deepdiff pyparsing
        lark ply parso jedi rope sphinx mkdocs mkdocs-material docutils pygments markdown mistune tabulate
        prettytable questionary prompt-toolkit textual httptools h11 h2 hpack zstandard lz4 brotli
        python-multipart aiofiles aiosqlite cachetools diskcache more-itertools toolz sortedcontainers wrapt
        decorator tenacity retrying backoff joblib cloudpickle dill
    """)
)
NPM = frozenset(
    words("""
        react react-dom react-router react-router-dom react-redux redux @reduxjs/toolkit next vue nuxt
        vue-router vuex pinia angular @angular/core @angular/common @angular/cli svelte solid-js preact lit
        jquery lodash underscore ramda rxjs axios node-fetch got superagent undici express koa fastify
        @nestjs/core @nestjs/common hapi restify cors helmet body-parser cookie-parser express-session morgan
        multer passport jsonwebtoken bcrypt bcryptjs uuid nanoid dotenv cross-env commander yargs minimist chalk
        ora inquirer prompts kleur picocolors debug winston pino bunyan moment dayjs date-fns luxon typescript
        ts-node tsx tslib @types/node @types/react babel @babel/core @babel/preset-env webpack webpack-cli
        rollup vite esbuild parcel swc @swc/core turbo nx lerna eslint prettier stylelint husky lint-staged jest
        ts-jest mocha chai sinon vitest cypress playwright @playwright/test puppeteer @testing-library/react
        supertest nock msw storybook tailwindcss postcss autoprefixer sass less styled-components @emotion/react
        @mui/material antd bootstrap framer-motion three d3 chart.js recharts echarts leaflet mongoose mongodb
        mysql mysql2 pg sequelize typeorm prisma @prisma/client knex drizzle-orm redis ioredis sqlite3
        better-sqlite3 graphql @apollo/client @apollo/server apollo-server urql socket.io socket.io-client ws
        amqplib kafkajs bull bullmq nodemailer aws-sdk @aws-sdk/client-s3 firebase firebase-admin
        @google-cloud/storage @azure/identity stripe openai @anthropic-ai/sdk @anthropic-ai/claude-code
        langchain @langchain/core ai zod yup joi ajv class-validator class-transformer formik react-hook-form
        immer zustand jotai recoil mobx swr @tanstack/react-query @trpc/server @trpc/client i18next
        react-i18next sharp jimp pdfkit pdf-lib xlsx papaparse csv-parse cheerio jsdom marked markdown-it remark
        rehype highlight.js prismjs glob fast-glob globby rimraf mkdirp fs-extra chokidar nodemon pm2
        concurrently npm-run-all semver execa shelljs cross-spawn which async bluebird p-limit p-queue
        eventemitter3 lru-cache node-cache object-assign classnames clsx prop-types core-js regenerator-runtime
        whatwg-fetch form-data qs query-string path-to-regexp mime mime-types iconv-lite safe-buffer inherits ms
        readable-stream acorn escodal espree estraverse terser uglify-js serve http-server http-proxy
        http-proxy-middleware vitepress electron react-native expo @react-navigation/native cordova ionic
        capacitor
    """)
)
