# Debian's ZooKeeper behind the variables of Docker Hub's "zookeeper" image, as far as the demos use them.
FROM zoonet-local/debian
COPY zookeeper-entrypoint /usr/local/bin/
ENTRYPOINT ["zookeeper-entrypoint"]
